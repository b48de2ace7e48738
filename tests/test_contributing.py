"""The files that CONTRIBUTING.md lists for each kind of addition are all that it takes.

For each kind there is an example. The files that mention it, in code rather than in prose, must be those that
the table lists, and no others; what only uses the example, as a recipe does, is left out.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SECTION = (
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("\n## To add\n")[2].partition("\n## ")[0]
)
ROWS = {
    what.strip(): (re.findall(r"`([^`]+)`", files), re.findall(r"`([^`]+)`", test))
    for what, files, test in re.findall(r"^\| (a\w* .*?) \|(.*?)\|(.*?)\|$", SECTION, flags=re.MULTILINE)
}
MOST = {
    "an elementwise operation with its layer": 8,
    "another operation with its layer": 8,
    "an optimizer": 5,
    "a data set": 4,
    "a figure": 4,
    "a recipe": 1,
    "an engine": 2,
}
# The example of each kind: NAME, KIND, and the names that code gives it.
EXAMPLES = {
    "an elementwise operation with its layer": ("softplus", "activations", {"softplus", "Softplus"}),
    "another operation with its layer": ("avg_pool2d", "pooling", {"avg_pool2d", "AvgPool2d"}),
    "an optimizer": ("rmsprop", "", {"rmsprop", "RMSprop"}),
    "a data set": ("mnist", "", {"mnist"}),
    "a figure": ("kernel_responses", "kernels", {"kernel_responses"}),
    "a recipe": ("signs_minimal", "", {"signs_minimal", "signs-minimal"}),
    "an engine": ("backend", "", {"TorchBackend"}),
}
OPERATION = "an elementwise operation with its layer"
# Recipes and their tests use what there is. The trace shows any layer; it may know more of some. Other
# tests may look at one example more closely than the tables do; of the elementwise operation no other test
# knows anything.
USERS = (
    "npnet/recipes/",
    "npnet/experiments/",
    "npnet/tracing/",
    "tests/npnet/tracing/",
    "tests/wrong_values/recipes.py",
    "tests/wrong_values/experiments.py",
)
TABLES = ("tests/examples/", "tests/wrong_values/", "tests/npnet/plot/figures.py", "tests/conftest.py")
# Holds gradcheck to a softplus of its own.
UNRELATED = {"tests/npnet/test_gradcheck_battery.py", "tests/test_contributing.py"}
README = "README.md"
NO_CODE = {README, "pyproject.toml"}


def mentioned(source):
    """Return the names in a module: identifiers, parts of imports, and texts that are nothing but a name."""
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "attr", "name", "asname", "arg", "module"):
            if isinstance(value := getattr(node, field, None), str):
                yield from value.split(".")
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@cache
def mentions(root=ROOT):
    """Return what each module mentions."""
    return {
        str(path.relative_to(root)): set(mentioned(path.read_text(encoding="utf-8")))
        for folder in ("npnet", "ptref", "tests")
        for path in (root / folder).rglob("*.py")
    }


def files_that_mention(names, root=ROOT, *, users=USERS, tests=TABLES):
    return {
        file
        for file, there in mentions(root).items()
        if there & names
        and file not in UNRELATED
        and not file.startswith(users)
        and (not file.startswith("tests/") or file.startswith(tests))
    }


def listed(what):
    """Return files and test of a row, with the example in place of NAME and KIND."""
    name, kind, _ = EXAMPLES[what]
    return [[file.replace("NAME", name).replace("KIND", kind) for file in files] for files in ROWS[what]]


def test_every_kind_has_a_row_and_an_example():
    assert ROWS.keys() == MOST.keys() == EXAMPLES.keys()


@pytest.mark.parametrize("what", MOST)
def test_few_files_are_to_be_touched_and_all_exist(what):
    files, tests = listed(what)
    assert 1 <= len(files) <= MOST[what]
    assert len({*files, *tests}) == len(files) + len(tests)
    assert [file for file in (*files, *tests) if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("what", MOST)
def test_the_example_is_mentioned_in_the_files_listed_and_nowhere_else(what):
    files, own_test = listed(what)
    *_, names = EXAMPLES[what]
    if what == OPERATION:
        assert files_that_mention(names, tests="tests/") == {*files, *own_test}
    else:
        users = () if what == "a recipe" else USERS
        assert files_that_mention(names, users=users) == {*files} - NO_CODE


def test_every_place_named_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    places = set(re.findall(r"`((?:npnet|ptref|tests)/[\w/.]*)`", text))
    assert len(places) > 20
    assert [
        place for place in places if not re.search("NAME|KIND", place) and not (ROOT / place).exists()
    ] == []


def test_what_the_table_says_of_pyproject_is_so():
    assert 'torch = "ptref.backend:backend"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_what_the_table_says_of_readme_is_so():
    text = (ROOT / README).read_text(encoding="utf-8")
    assert [what for what in MOST if README in listed(what)[0]] == ["an optimizer"]
    assert "RMSprop" in text


def test_a_mention_elsewhere_is_found(tmp_path):
    for file, source in {
        "npnet/one.py": "from npnet.optim import RMSprop",
        "npnet/two.py": "def f():\n    return {'RMSprop': 3}",
        "ptref/three.py": "optim.rmsprop.step()",
        "tests/examples/four.py": "call(RMSprop=1)",
        "npnet/prose.py": "'''RMSprop is an optimizer.'''  # RMSprop",
        "npnet/recipes/use.py": "RMSprop",
        "tests/npnet/optim/test_it.py": "RMSprop",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(source)
    assert files_that_mention({"rmsprop", "RMSprop"}, tmp_path) == {
        "npnet/one.py", "npnet/two.py", "ptref/three.py", "tests/examples/four.py",
    }  # fmt: skip
