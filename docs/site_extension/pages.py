"""The examples and exercises of a page, read from its Markdown: for the tests and for the notebooks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(
    r"^(?P<ticks>`{3,})\{(?P<name>\w+)\}[ \t]*(?P<title>[^\n]*)\n(?P<body>.*?)^(?P=ticks)$",
    re.MULTILINE | re.DOTALL,
)
OPTION = re.compile(r":(?P<name>[\w-]+):[ \t]*(?P<value>.*)\n")


@dataclass(frozen=True)
class Words:
    """Markdown between examples."""

    text: str


@dataclass(frozen=True)
class Cell:
    """An example.

    Parameters
    ----------
    code : str
    raises : str
        The exception it is meant to end with, or "".
    cpython : str
        Why it cannot run in a browser, or "".
    """

    code: str
    raises: str = ""
    cpython: str = ""


@dataclass(frozen=True)
class Exercise:
    """An exercise: what to do, where to start, what checks the answer, and an answer."""

    title: str
    text: str
    parts: dict[str, str] = field(default_factory=dict)  # start, check, solution


def read(path: Path) -> list[Words | Cell | Exercise]:
    """Return a page as words, examples and exercises, in its order.

    Parameters
    ----------
    path : path

    Returns
    -------
    parts : list
    """
    text, parts, at = path.read_text(encoding="utf-8"), list[Words | Cell | Exercise](), 0
    for fence in FENCE.finditer(text):
        parts.append(Words(text[at : fence.start()]))
        at = fence.end()
        options, body = _options(fence["body"])
        if fence["name"] == "cell":
            parts.append(Cell(body, options.get("raises", ""), options.get("cpython", "")))
        elif fence["name"] == "exercise":
            inner = {part["name"]: part["body"] for part in FENCE.finditer(body)}
            parts.append(Exercise(fence["title"], FENCE.sub("", body).strip(), inner))
        else:
            parts.append(Words(fence[0]))
    parts.append(Words(text[at:]))
    return [part for part in parts if not isinstance(part, Words) or part.text.strip()]


def with_examples(docs: Path) -> dict[Path, list[Words | Cell | Exercise]]:
    """Return the pages below a folder that have examples or exercises, each with its parts.

    Parameters
    ----------
    docs : path

    Returns
    -------
    found : dict from paths to lists
    """
    found = {path: read(path) for path in sorted(docs.rglob("*.md")) if "_build" not in path.parts}
    return {
        path: parts for path, parts in found.items() if not all(isinstance(part, Words) for part in parts)
    }


def _options(body: str) -> tuple[dict[str, str], str]:
    """Take the options off the head of a directive."""
    options = {}
    while option := OPTION.match(body):
        options[option["name"]] = option["value"].strip()
        body = body[option.end() :]
    return options, body.lstrip("\n")
