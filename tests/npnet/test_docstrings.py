"""Every public function and class says what it takes, returns and raises.

The source is read, not imported, so that optional libraries are not needed and wrappers do not interfere.

- Every module, function, class and method has a docstring.
- A function with parameters has a section Parameters, one that returns something Returns (or Yields), and
  one that raises an error of npnet, itself or in a private helper of its module, Raises.
- A class whose constructor takes arguments has Parameters (a dataclass Parameters or Attributes), and
  Raises where the constructor raises.
- A method may do with a summary; but if it raises an error of npnet, itself or in a private helper, it
  has Raises. Those that implement what a base class documents are exempt.
- Every operation of npnet.functional has all six sections.
- Wherever there are Parameters, every parameter of the signature is among them.
- Sections stand in numpydoc's order.
"""

import ast
import inspect
import re
from pathlib import Path

import pytest

import npnet
from npnet import functional as F

ROOT = Path(npnet.__file__).parents[1]
ERRORS = {"InputError", "DTypeError", "MissingError"}
ORDER = ["Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "References", "Examples"]
OPERATION_SECTIONS = {"Parameters", "Returns", "Raises", "Notes", "References", "Examples"}
IMPLEMENTS_A_BASE = {"apply", "forward", "multiply_adds", "children", "step", "state_dict", "load_state_dict"}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def modules():
    """Yield the name and the source file of every public module."""
    for package in ("npnet", "ptref"):
        for path in sorted((ROOT / package).rglob("*.py")):
            names = list(path.relative_to(ROOT).with_suffix("").parts)
            if names[-1] == "__init__":
                names.pop()
            if not any(name.startswith("_") for name in names):
                yield ".".join(names), path


def sections(docstring):
    """Return the bodies of the numpydoc sections, in their order."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", inspect.cleandoc(docstring) + "\n", flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented_names(body):
    """Return the names before the colon in the unindented lines of a section."""
    entries = [line.partition(" : ")[0] for line in body.splitlines() if line[:1].strip()]
    return {name.strip().lstrip("*") for entry in entries for name in entry.split(",")}


def parameter_names(function):
    a = function.args
    named = [*a.posonlyargs, *a.args, *([a.vararg] if a.vararg else []), *a.kwonlyargs]
    named += [a.kwarg] if a.kwarg else []
    return [arg.arg for arg in named if arg.arg not in ("self", "cls") and not arg.arg.startswith("_")]


def decorators(node):
    return {name.split(".")[-1].partition("(")[0] for name in map(ast.unparse, node.decorator_list)}


class Module:
    """A module's syntax tree, and what is wrong with its docstrings."""

    def __init__(self, name, source):
        self.name = name
        self.tree = ast.parse(source)
        self.functions = {node.name: node for node in self.tree.body if isinstance(node, FUNCTION)}
        self.classes = {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    def complaints(self):
        if not ast.get_docstring(self.tree):
            yield f"{self.name}: docstring is missing"
        for name, node in self.functions.items():
            if not name.startswith("_") and "overload" not in decorators(node):
                yield from self.of_function(node)
        for name, node in self.classes.items():
            if not name.startswith("_"):
                yield from self.of_class(node)

    def of_function(self, node):
        wanted = set()
        if parameter_names(node):
            wanted.add("Parameters")
        if node.returns is None or ast.unparse(node.returns) not in ("None", "NoReturn", "Never"):
            wanted.add("Returns")
        if self.raises(node):
            wanted.add("Raises")
        if self.name.startswith("npnet.functional.") and node.name in F.__all__:
            wanted |= OPERATION_SECTIONS
        yield from self.compare(node.name, node, wanted, parameter_names(node))

    def of_class(self, node):
        constructor = self.constructor(node)
        fields = dataclass_fields(node)
        names = parameter_names(constructor) if constructor else fields
        wanted = {"Parameters"} if names and not is_error(node) else set()
        if constructor and self.raises(constructor):
            wanted.add("Raises")
        yield from self.compare(node.name, node, wanted, names)

        for method in node.body:
            if isinstance(method, FUNCTION) and not method.name.startswith("_"):
                if "overload" in decorators(method) or decorators(method) & {"setter", "deleter"}:
                    continue
                owes_raises = self.raises(method) and method.name not in IMPLEMENTS_A_BASE
                yield from self.compare(
                    f"{node.name}.{method.name}",
                    method,
                    {"Raises"} if owes_raises else set(),
                    parameter_names(method),
                )

    def compare(self, name, node, wanted, parameters):
        docstring = ast.get_docstring(node)
        if not docstring:
            yield f"{self.name}.{name}: docstring is missing"
            return
        found = sections(docstring)
        alternatives = {"Returns": "Yields"}
        if isinstance(node, ast.ClassDef) and dataclass_fields(node):
            alternatives["Parameters"] = "Attributes"
        for section in sorted(wanted, key=ORDER.index):
            if section not in found and alternatives.get(section) not in found:
                yield f"{self.name}.{name}: section {section} is missing"

        listed = found.get("Parameters", found.get("Attributes" if "Parameters" in wanted else "", None))
        if listed is not None:
            for parameter in parameters:
                if parameter not in documented_names(listed):
                    yield f"{self.name}.{name}: parameter {parameter} is not documented"
        known = [section for section in found if section in ORDER]
        if known != sorted(known, key=ORDER.index):
            yield f"{self.name}.{name}: sections must be in the order {', '.join(ORDER)}"

    def constructor(self, node):
        """Return the constructor a class defines or inherits from a class of its module."""
        for method in node.body:
            if isinstance(method, FUNCTION) and method.name == "__init__":
                return method
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.classes:
                return self.constructor(self.classes[base.id])
        return None

    def raises(self, function, seen=frozenset()):
        """Tell whether a function raises an error of npnet, itself or in a private helper of its module."""
        for node in ast.walk(function):
            if isinstance(node, ast.Raise) and node.exc is not None:
                raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                if ast.unparse(raised).split(".")[-1] in ERRORS:
                    return True
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                helper = self.functions.get(node.func.id)
                is_new = node.func.id.startswith("_") and node.func.id not in seen
                if helper is not None and is_new and self.raises(helper, seen | {node.func.id}):
                    return True
        return False


def dataclass_fields(node):
    if "dataclass" not in decorators(node):
        return []
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    return [
        item.target.id
        for item in fields
        if not item.target.id.startswith("_") and "ClassVar" not in ast.unparse(item.annotation)
    ]


def is_error(node):
    """Errors are made where they are raised; their users read the message."""
    return any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases)


@pytest.mark.parametrize(
    ("name", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_docstrings_are_complete(name, path):
    assert list(Module(name, path.read_text(encoding="utf-8")).complaints()) == []


GOOD = '''
    """Do it.

    Parameters
    ----------
    x, y : array
    *rest : arrays
    z
        More.

    Returns
    -------
    array

    Raises
    ------
    InputError
        If not.
    """
'''
PLANTED = {
    "docstring is missing": ("def f(x): pass", "m.f: docstring is missing"),
    "no Parameters": ('def f(x) -> None:\n    """Do."""', "m.f: section Parameters is missing"),
    "no Returns": ('def f() -> int:\n    """Do."""', "m.f: section Returns is missing"),
    "no Raises": ('def f() -> None:\n    """Do."""\n    raise InputError', "m.f: section Raises is missing"),
    "no Raises for what a helper raises": (
        'def f() -> None:\n    """Do."""\n    _g()\ndef _g():\n    raise errors.DTypeError("x")',
        "m.f: section Raises is missing",
    ),
    "one parameter forgotten": (f"def f(x, y, z, w, *rest):{GOOD}", "m.f: parameter w is not documented"),
    "class": (
        'class C:\n    """It."""\n    def __init__(self, x): pass',
        "m.C: section Parameters is missing",
    ),
    "inherited constructor": (
        'class C(_B):\n    """It."""\nclass _B:\n    def __init__(self, x): pass',
        "m.C: section Parameters is missing",
    ),
    "dataclass": ('@dataclass\nclass C:\n    """It."""\n    x: int', "m.C: section Parameters is missing"),
    "method": (
        'class C:\n    """It."""\n    def f(self):\n        """Do."""\n        raise InputError("no")',
        "m.C.f: section Raises is missing",
    ),
    "order": (
        'def f() -> None:\n    """Do.\n\n    Notes\n    -----\n    A.\n\n    Raises\n    ------\n    B\n    """',
        f"m.f: sections must be in the order {', '.join(ORDER)}",
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_an_incomplete_docstring_is_named(planted):
    source, complaint = PLANTED[planted]
    assert list(Module("m", f'"""A module."""\n{source}').complaints()) == [complaint]


def test_a_complete_docstring_passes():
    assert list(Module("m", f'"""A module."""\ndef f(x, y, *rest, z=1):{GOOD}').complaints()) == []


def test_an_operation_owes_all_sections():
    complaints = list(
        Module("npnet.functional.relu", f'"""A module."""\ndef relu(x, y, z):{GOOD}').complaints()
    )
    assert complaints == [
        f"npnet.functional.relu.relu: section {section} is missing"
        for section in ("Notes", "References", "Examples")
    ]
