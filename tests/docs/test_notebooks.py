"""Notebooks are made from the pages: what stands in them is whole, valid and runs."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

SMALL = Path(__file__).parent / "small"
DOCS = SMALL.parents[2] / "docs"
sys.path.append(str(DOCS))
os.environ.setdefault("MPLBACKEND", "Agg")

from site_extension import notebooks, pages, runner  # noqa: E402 - after the search path

pytestmark = pytest.mark.usefixtures("bare")


@pytest.fixture
def made(tmp_path):
    [path] = notebooks.write(SMALL, tmp_path)
    return json.loads(path.read_text())


def test_a_notebook_is_valid(made):
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbformat.validate(made)


def test_the_cells_of_a_notebook_run_from_top_to_bottom(made):
    names = {}
    code = [cell for cell in made["cells"] if cell["cell_type"] == "code"]
    failed = [cell["metadata"] for cell in code if runner.run(cell["source"], names)["error"]]
    # The example that is to fail, and the check of an exercise that nobody has solved.
    assert failed == [{"tags": ["raises-exception"]}] * 2


def test_a_solution_put_into_a_notebook_passes_its_check(made):
    names = {}
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            source = cell["source"].replace("    return grad_y", "    return grad_y * (x > 0)")
            said = runner.run(source, names)
    assert said["text"].endswith("Right.")


def test_nothing_of_the_site_is_left_in_the_words(made):
    words = "\n".join(cell["source"] for cell in made["cells"] if cell["cell_type"] == "markdown")
    assert "{toctree}" not in words
    assert "{source}" not in words
    assert "def relu(" in words, "the source is written out"
    assert "A solution" in words


def test_no_directive_is_left_in_the_words_of_any_page():
    directive = re.compile(r"^`{3,}\{(?!exercise|start|check|solution)", re.MULTILINE)  # these a page shows
    for path, parts in pages.with_examples(DOCS).items():
        words = [cell for cell in notebooks.notebook(parts)["cells"] if cell["cell_type"] == "markdown"]
        assert not [cell["source"] for cell in words if directive.search(cell["source"])], path
