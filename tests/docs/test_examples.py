"""Every example and exercise of the site runs in CPython."""

import os
import re
import sys
import warnings
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SMALL = Path(__file__).parent / "small" / "index.md"
sys.path.append(str(DOCS))
os.environ.setdefault("MPLBACKEND", "Agg")

from site_extension import directives, pages, runner  # noqa: E402 - after the search path

pytestmark = pytest.mark.usefixtures("bare")  # readers meet the library's own messages


def run(part, namespace):
    """Run a part of a page, and return what is wrong with it or None."""
    if isinstance(part, pages.Cell):
        error = runner.run(part.code, namespace)["error"]
        if part.cpython and "ModuleNotFoundError" in error:
            return None
        as_said = part.raises in error if part.raises else not error
        return None if as_said else f"{part.code}\nwas to raise {part.raises or 'nothing'}: {error}"
    start = runner.check(part.parts["start"], part.parts["check"], namespace)["error"]
    solution = runner.check(part.parts["solution"], part.parts["check"], namespace)["error"]
    if not start:
        return f"{part.title}: what one starts from passes already"
    return f"{part.title}: the solution fails: {solution}" if solution else None


def complaints(path):
    namespace = {}
    parts = [part for part in pages.read(path) if not isinstance(part, pages.Words)]
    return [found for part in parts if (found := run(part, namespace))]


@pytest.mark.parametrize("path", [*pages.with_examples(DOCS), SMALL], ids=lambda path: path.stem)
def test_examples_and_exercises(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write a file
    assert complaints(path) == []


SEVERAL_GRADIENTS = {
    "affine": "01-affine",
    "scale_and_shift": "01-affine",
    "network": "04-chain-rule",
    "my_linear": "05-batches",
    "other_way": "05-batches",
    "gated": "07-gradient-check",
    "my_conv": "09-convolution",
}
FIRST_ALONE = """
def first_alone(f):
    def g(*inputs):
        y, backward = f(*inputs)
        return y, lambda grad_y: backward(grad_y)[0]

    return g


{name} = first_alone({name})
"""


@pytest.mark.parametrize("name", SEVERAL_GRADIENTS)
def test_an_answer_with_the_first_gradient_alone_is_not_right(name):
    parts, names = pages.read(DOCS / "course" / f"{SEVERAL_GRADIENTS[name]}.md"), {}
    for part in parts:
        if isinstance(part, pages.Cell) and "plt" not in part.code and not part.cpython:
            runner.run(part.code, names)
    [exercise] = [
        part for part in parts if isinstance(part, pages.Exercise) and f"def {name}(" in part.parts["start"]
    ]
    answer = exercise.parts["solution"] + FIRST_ALONE.format(name=name)
    assert "gives nothing for input 1" in runner.check(answer, exercise.parts["check"], names)["error"]


MISTAKES = {
    "an example that fails": ('print("not in a browser")', "1 / 0", "ZeroDivisionError"),
    "one that does not fail": ("np.array([1, 2])", "np.array([1.0, 2.0])", "was to raise DTypeError"),
    "a solution that is wrong": ("grad_y * (x > 0)", "grad_y", "the solution fails: got [1. 1.]"),
    "a start that is right": ("    return grad_y\n", "    return grad_y * (x > 0)\n", "passes already"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_page_is_found(mistake, tmp_path):
    old, new, complaint = MISTAKES[mistake]
    text = SMALL.read_text()
    assert old in text
    page = tmp_path / "page.md"
    page.write_text(text.replace(old, new))
    found = complaints(page)
    assert len(found) == 1
    assert complaint in found[0]


def test_an_error_names_the_line_of_the_example():
    said = runner.run("x = 1\nx.shape", {})["error"]
    assert said == "line 2: x.shape\nAttributeError: 'int' object has no attribute 'shape'"


def test_a_syntax_error_is_one_message():
    assert runner.run("def f(:\n  pass", {})["error"] == "line 1: def f(:\nSyntaxError: invalid syntax"


def test_an_answer_that_fails_in_its_check_names_its_line():
    answer = "def half(x):\n    y = x / 2\n    return y.shapes"
    assert runner.check(answer, "assert half(1) == 0.5, 'a half'", {})["error"] == (
        "line 3: return y.shapes\nAttributeError: 'float' object has no attribute 'shapes'"
    )
    assert runner.check("def half(x):\n    assert x > 1", "half(1)", {})["error"] == (
        "line 2: assert x > 1\nAssertionError"
    )


def test_a_check_that_finds_no_answer_says_so():
    assert runner.check("def haalf(x): ...", "half(1)", {})["error"] == (
        "The check could not use your answer.\nNameError: name 'half' is not defined"
    )


def test_what_an_earlier_example_made_fails_at_a_line_of_that_example():
    names = {}
    runner.run("def inverse(x):\n    return 1 / x", names)
    assert runner.run("y = 2\n\n\ninverse(0)", names)["error"] == (
        "line 2 of an example above: return 1 / x\nZeroDivisionError: division by zero"
    )


def test_a_warning_names_its_line(recwarn):
    warnings.simplefilter("always")
    said = runner.run("import numpy as np\nx = np.zeros(1)\n1 / x", {})["text"]
    assert said.startswith("line 3: 1 / x\nRuntimeWarning: divide by zero")


@pytest.mark.parametrize(
    "code", ["input('?')", "import sys; sys.stdin.read()", "import sys; next(sys.stdin)"]
)
def test_nobody_is_asked(code):
    said = runner.run(code, {})["error"]
    assert "\nRuntimeError: nobody can type an answer here; write the value into the code" in said


def test_what_answer_and_check_print_stands_on_lines_of_its_own():
    assert runner.check("print(1)", "print(2)", {})["text"] == "1\n2"


@pytest.mark.parametrize("last", ["plt.show()", "figure", "1 / 0"])
def test_a_figure_is_drawn_once_and_shown_without_a_word(last):
    code = f"import matplotlib.pyplot as plt\nfigure, axes = plt.subplots(figsize=(1, 1))\n{last}"
    output = runner.run(code, {})
    assert [set(picture) for picture in output["pictures"]] == [{"light", "dark"}]
    assert output["text"] == ""


def test_a_figure_that_cannot_be_drawn_is_one_message_and_the_next_can():
    names = {}
    said = runner.run("import matplotlib.pyplot as plt\nplt.figtext(0, 0, r'$\\no$');", names)
    assert said["error"].startswith("ValueError")
    assert len(runner.run("plt.figure();", names)["pictures"]) == 1


def test_an_answer_leaves_the_names_of_the_page_alone():
    names = {"x": 1}
    assert runner.check("x = 2", "assert x == 2", names)["error"] == ""
    assert names["x"] == 1


def test_names_of_the_page_from_pytorch_exist():
    text = (DOCS / "from-pytorch.md").read_text()
    names = re.findall(r"^\| `(torch[\w.]+)` \| `(npnet[\w.]+)` \|", text, re.MULTILINE)
    assert len(names) > 15
    for _, ours in names:
        assert directives.found(ours)
    pytest.importorskip("torch", reason="PyTorch is not installed")
    for theirs, _ in names:
        assert directives.found(theirs)
