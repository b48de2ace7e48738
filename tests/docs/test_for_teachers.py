"""The page for teachers: its program grades what students hand in, and its table says what recipes say."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from npnet import recipes

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "guides"
PAGE = (GUIDES / "for-teachers.md").read_text(encoding="utf-8").replace("\xa0", " ")
sys.path.append(str(ROOT / "docs"))

from site_extension import notebooks, pages  # noqa: E402 - after the search path

ANSWER = """
import numpy as np
from npnet import nn


class PReLU(nn.Layer):
    parameter_names = ("weight",)

    def __init__(self, features):
        self.weight = np.full(features, 0.25, np.float32)

    def apply(self, x, *, training, generator):
        def backward(grad_y, needs):
            return GRAD_X, GRAD_WEIGHT

        return Y, backward
"""
RIGHT = {
    "Y": "np.where(x > 0, x, self.weight * x)",
    "GRAD_X": "grad_y * np.where(x > 0, 1, self.weight)",
    "GRAD_WEIGHT": "(grad_y * np.minimum(x, 0)).sum(axis=0)",
}
EMIL = {name: code.replace("self.weight", "-self.weight") for name, code in RIGHT.items()}
CHANGED = {
    "ada": {},
    "ben": {"GRAD_WEIGHT": "grad_y * np.minimum(x, 0)"},
    "cleo": {"GRAD_WEIGHT": "(grad_y * np.minimum(x, 0)).mean(axis=0)"},
    "dan": {"GRAD_X": "grad_y"},
    "emil": {**EMIL, "GRAD_WEIGHT": f"-{RIGHT['GRAD_WEIGHT']}"},
}


def answer(**changed):
    text = ANSWER
    for name, code in {**RIGHT, **changed}.items():
        text = text.replace(name, code)
    return text


OTHERS = {"fay": "while True:\n    pass\n", "gus": answer().replace("features):", "features)")}
[PRINTED] = re.findall(r"^```text\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
MARKS = dict(line.split(maxsplit=1) for line in PRINTED.splitlines()[:-1])


@pytest.fixture(scope="module")
def grade():
    pytest.importorskip("torch", reason="PyTorch is not installed")
    spec = importlib.util.spec_from_file_location("grade", GUIDES / "grade.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", CHANGED)
@pytest.mark.usefixtures("bare")
def test_an_answer_gets_the_mark_on_the_page(name, grade, tmp_path):
    path = tmp_path / "answer.py"
    path.write_text(answer(**CHANGED[name]))
    assert grade.check(path) == MARKS[name]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "there is no class PReLU that is a layer"),
        (answer().replace('"weight",', ""), "PReLU(4) must have one parameter, weight, with 4 numbers"),
        (answer(Y="self.weight.astype(float) * x"), "gradient of x"),
        (answer(Y="np.where(x > 0, x, self.weight.astype(float) * x)"), "y is float64, not float32"),
    ],
    ids=["no class", "no parameter", "linear", "another dtype"],
)
@pytest.mark.usefixtures("bare")
def test_what_else_may_be_wrong(text, said, grade, tmp_path):
    path = tmp_path / "answer.py"
    path.write_text(text)
    assert said in grade.check(path)


def test_an_answer_that_hangs_costs_its_own_mark(grade, tmp_path, monkeypatch):
    path = tmp_path / "fay.py"
    path.write_text(OTHERS["fay"])
    assert MARKS["fay"] == f"no answer within {grade.SECONDS} s"
    monkeypatch.setattr(grade, "SECONDS", 0.5)
    assert grade.mark(path) == "no answer within 0.5 s"


def test_a_folder_is_graded_though_a_file_breaks(grade, tmp_path, monkeypatch, capsys):
    (tmp_path / "gus.py").write_text(OTHERS["gus"])
    monkeypatch.setattr(sys, "argv", ["grade.py", str(tmp_path)])
    grade.main()
    assert capsys.readouterr().out.splitlines() == [f"gus      {MARKS['gus']}", "0 of 1 passed"]


def test_the_page_counts_who_passed():
    assert MARKS.keys() == CHANGED.keys() | OTHERS.keys()
    passed = list(MARKS.values()).count("passed")
    assert PRINTED.splitlines()[-1] == f"{passed} of {len(MARKS)} passed"


def test_a_folder_without_answers_is_one_message(grade, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["grade.py", str(tmp_path)])
    with pytest.raises(SystemExit):
        grade.main()
    assert "must be a folder with files of Python" in capsys.readouterr().err


def test_the_table_of_recipes_says_what_they_say_and_how_long_they_took():
    found = re.findall(r"^\| `([\w-]+)` \| ([\d.]+ \w+) \| ([^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    times = {name: time for name, time, _ in found}
    rows = {name: title for name, _, title in found}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    measured = dict(
        re.findall(
            r"^\| `([\w-]+)` \| [^|]+ \| [^|]+ \| [^|]*?([\d.]+ (?:s|min)) \|[^|]+\|$", readme, re.MULTILINE
        )
    )
    assert len(measured) > 10
    assert times == measured
    assert rows == {name: recipes.get(name).title for name in rows}
    unmeasured = {name for name in recipes.names() if name not in rows}
    assert {name.split("-")[0] for name in unmeasured} == {"cifar100", "signs"}, "the page names these"


def test_recipes_and_pages_of_the_lessons_are_there():
    assert set(re.findall(r"npnet train ([\w-]+)", PAGE)) <= set(recipes.names())


def test_a_notebook_has_included_files_written_out():
    options = ':language: python\n:start-at: "def mark"\n:end-before: "def main"\n'
    text = f"```{{literalinclude}} /guides/grade.py\n{options}```"
    [cell] = notebooks.notebook([pages.Words(text)])["cells"]
    assert cell["source"].startswith("`````python\ndef mark(path: Path) -> str:")
    assert "argparse" not in cell["source"]
    assert "literalinclude" not in cell["source"]
