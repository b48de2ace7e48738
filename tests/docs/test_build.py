"""A small site is built as the whole one is, and every public name has its place in the reference."""

import importlib
import json
import pkgutil
import re
import sys
import zipfile
from pathlib import Path

import pytest

import npnet

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.append(str(DOCS))

from site_extension import directives, mathematics  # noqa: E402 - after the search path


def test_a_small_site_is_built_without_a_warning(small_site):
    page = (small_site / "index.html").read_text()
    assert re.search(r"<math [^>]*><mrow><mfrac>.*∂|<math .*&#x02202;", page), "the formula is MathML"
    assert "array([0., 2.])" in page or "[0., 2.]" in page, "what the example printed stands below it"
    assert "DTypeError" in page
    assert "It imports PyTorch." in page
    assert "data:image/png;base64," in page, "the figure stands below its example"
    assert "&gt;&gt;&gt;" not in page, "the source is shown without its docstring"
    assert 'href="reference/functional.html#npnet.functional.relu"' in page, (
        "the source leads to its reference"
    )


def test_a_small_site_asks_for_nothing_of_other_servers(small_site):
    asked = re.compile(
        r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//", re.IGNORECASE
    )
    for page in small_site.rglob("*.html"):
        assert not asked.search(page.read_text()), page.name
    for sheet in small_site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//|@import", sheet.read_text()), sheet.name


def test_the_site_serves_the_wheels_its_examples_run_with(small_site):
    wheels = small_site / "_static" / "wheels"
    names = json.loads((wheels / "index.json").read_text())
    assert [name.split("-")[0] for name in names] == ["npnet_backprop", "rich", "scikit"]
    inside, needed, lent = (zipfile.ZipFile(wheels / name).namelist() for name in names)
    assert "npnet/functional/linear.py" in inside
    assert "rich/table.py" in needed
    for names, license_file in ((needed, "LICENSE"), (lent, "COPYING")):
        assert [name for name in names if name.endswith(license_file)], "what is handed on keeps its license"
    assert sum(name.startswith("sklearn/") for name in lent) == 1, "of scikit-learn the digits alone"
    assert not [name for name in inside if "site_extension" in name or name.startswith("docs/")]


def test_every_module_with_public_names_has_a_page():
    """The names of a page are read from the module itself, so a page is all that can be missing."""
    modules = [
        npnet,
        *(importlib.import_module(f"npnet.{info.name}") for info in pkgutil.iter_modules(npnet.__path__)),
    ]
    public = {module.__name__ for module in modules if getattr(module, "__all__", None)} | {
        "npnet.checkpoint"
    }
    public -= {"npnet.cli"}  # a program, not an interface
    assert {name for name in public if "._" not in name} == set(directives.documented_modules(DOCS))


def test_every_public_name_of_a_module_is_on_its_page(small_site):
    page = (small_site / "reference" / "functional.html").read_text()
    missing = [name for name in npnet.functional.__all__ if f'id="npnet.functional.{name}"' not in page]
    assert missing == []
    assert page.count("Raises") >= len(npnet.functional.__all__), "docstrings are shown with their sections"


@pytest.mark.parametrize(
    ("latex", "wanted"),
    [(r"\frac{a}{b}", "<mfrac>"), (r"\begin{bmatrix}1&2\end{bmatrix}", "<mtable"), (r"x^\top", "<msup>")],
)
def test_formulas_become_mathml(latex, wanted):
    assert wanted in mathematics.convert(latex)
