"""Notebooks of the pages that have examples: ``python -m site_extension.notebooks docs target``."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from site_extension import directives, measured, pages

SOURCE = re.compile(r"^```\{source\}\s+(\S+)\s*```$", re.MULTILINE)
INCLUDED = re.compile(
    r"^```\{literalinclude\}\s+/(?P<path>\S+)\n(?P<options>.*?)^```$", re.MULTILINE | re.DOTALL
)
TOCTREE = re.compile(r"^```\{toctree\}.*?^```$", re.MULTILINE | re.DOTALL)
BENCHMARK = re.compile(r"^```\{benchmark\}\s+(?P<name>\S+)\n(?P<options>.*?)^```$", re.MULTILINE | re.DOTALL)
DOCS = Path(__file__).parents[1]
LINK = re.compile(r"(\]\([^():#]+)\.md(?=[#)])")


def write(docs: Path, target: Path) -> list[Path]:
    """Write a notebook for every page with examples, beside links to each other.

    Parameters
    ----------
    docs, target : path
        The folder of the pages and the one of the notebooks.

    Returns
    -------
    written : list of path
    """
    written = []
    for page, parts in pages.with_examples(docs).items():
        path = (target / page.relative_to(docs)).with_suffix(".ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook(parts), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


def notebook(parts: list[pages.Words | pages.Cell | pages.Exercise]) -> dict[str, Any]:
    """Return the parts of a page as a notebook of format 4.5.

    Parameters
    ----------
    parts : list
        As `pages.read` returns them.

    Returns
    -------
    notebook : dict

    Examples
    --------
    >>> notebook([pages.Words("# Title"), pages.Cell("1 + 1")])["cells"][1]["source"]
    '1 + 1'
    """
    cells = [cell for part in parts for cell in _cells(part)]
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _cells(part: pages.Words | pages.Cell | pages.Exercise) -> list[dict[str, Any]]:
    """Return the cells of a part; an exercise has its start, its check and, out of sight, its solution."""
    if isinstance(part, pages.Words):
        return [_words(part.text)]
    if isinstance(part, pages.Cell):
        return [_code(part.code, *["raises-exception"] * bool(part.raises))]
    solution = (
        f"<details><summary>A solution</summary>\n\n```python\n{part.parts['solution']}```\n\n</details>"
    )
    return [
        _words(f"### Exercise: {part.title}\n\n{part.text}"),
        _code(part.parts["start"]),
        _words("Run this to check your answer:"),
        _code(part.parts["check"] + 'print("Right.")', "raises-exception"),
        _words(solution),
    ]


def _words(text: str) -> dict[str, Any]:
    text = SOURCE.sub(
        lambda name: f"```python\n{directives.without_docstring(directives.found(name[1]))}\n```", text
    )
    text = INCLUDED.sub(_included, BENCHMARK.sub(_measured, text))
    text = LINK.sub(r"\1.ipynb", TOCTREE.sub("", text))
    return {"cell_type": "markdown", "metadata": {}, "source": text.strip()}


def _measured(found: re.Match[str]) -> str:
    """Write out what was measured: the figure, and the tables."""
    options = _options(found)
    results = measured.selected(found["name"], options)
    picture = ""
    if "figure" in options:
        picture = f"![{options['figure']}](data:image/png;base64,{measured.drawn(results)['light']})\n\n"
    return picture + measured.written(results, options)


def _included(found: re.Match[str]) -> str:
    """Write out a file that the page shows, or the lines from one that is named to another."""
    options = {name: value.strip('"') for name, value in _options(found).items()}
    lines = (DOCS / found["path"]).read_text(encoding="utf-8").splitlines()
    begin, end = (options.get(name) for name in ("start-at", "end-before"))
    if begin is not None:
        lines = lines[next(i for i, line in enumerate(lines) if begin in line) :]
    if end is not None:
        lines = lines[: next(i for i, line in enumerate(lines) if end in line)]
    return "\n".join([f"`````{options['language']}", *lines, "`````"])


def _options(found: re.Match[str]) -> dict[str, str]:
    return {option["name"]: option["value"] for option in pages.OPTION.finditer(found["options"])}


def _code(code: str, *tags: str) -> dict[str, Any]:
    metadata = {"tags": list(tags)} if tags else {}
    code = code.rstrip("\n")
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": code}


if __name__ == "__main__":
    for made in write(Path(sys.argv[1]), Path(sys.argv[2])):
        print(made)
