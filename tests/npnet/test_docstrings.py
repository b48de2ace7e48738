"""Every public function and class says what it takes, returns and raises.

The source is read, not imported, so optional libraries are not needed and wrappers do not interfere.

Every module, function, class and method whose name has no leading underscore has a docstring. Where it has
sections, they stand in numpydoc's order, and none of the signature's parameters is left out of Parameters.

The interface owes more. It is what stands in an ``__all__``, and everything in a module (of a name
without leading underscore) that has no ``__all__`` and of which no ``__all__`` lists anything:

- a function with parameters has a section Parameters; one that returns something, Returns or Yields; one
  that raises an error of npnet, itself or in a private helper of its module, Raises;
- a class whose constructor takes arguments has Parameters (a dataclass Parameters or Attributes), and
  Raises if the constructor raises;
- a method may do with a summary, but if it raises an error of npnet it has Raises, unless it implements
  what a base class declares and documents;
- an operation of npnet.functional has all six sections.
"""

import ast
import inspect
import re
from functools import cache
from pathlib import Path

import pytest

import npnet

ROOT = Path(npnet.__file__).parents[1]
ERRORS = {"InputError", "DTypeError", "MissingError"}
ORDER = ["Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "References", "Examples"]
OPERATION_SECTIONS = {"Parameters", "Returns", "Raises", "Notes", "References", "Examples"}
RETURNS_NOTHING = {"None", "NoReturn", "Never", "Iterator[None]"}
ALTERNATIVES = {"Returns": "Yields"}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


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
    named = [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg]
    names = [arg.arg for arg in named if arg is not None]
    return [name for name in names if name not in ("self", "cls") and not name.startswith("_")]


def decorators(node):
    return {ast.unparse(item).partition("(")[0].split(".")[-1] for item in node.decorator_list}


def is_error(node):
    """Errors are made where they are raised; their users read the message."""
    return any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases)


def dataclass_fields(node):
    if "dataclass" not in decorators(node):
        return []
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    public = [item for item in fields if not item.target.id.startswith("_")]
    return [item.target.id for item in public if "ClassVar" not in ast.unparse(item.annotation)]


class Module:
    """A module's source: what it defines, imports and exports."""

    def __init__(self, name, source):
        self.name = name
        self.tree = ast.parse(source)
        self.functions = {node.name: node for node in self.tree.body if isinstance(node, FUNCTION)}
        self.classes = {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}
        self.imported = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in self.tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        self.exported = self._exported()
        self.is_private = any(part.startswith("_") for part in name.removesuffix("__main__").split("."))

    def _exported(self):
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return ast.literal_eval(node.value)
        return None

    def raises(self, function, seen=frozenset()):
        """Tell whether a function raises an error of npnet, itself or in a private helper of its module."""
        handlers = [node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler) and node.type]
        meeting = [handler for handler in handlers if ast.unparse(handler.type) in ERRORS]
        if meeting:
            return any(isinstance(node, ast.Raise) for handler in meeting for node in ast.walk(handler))
        for node in ast.walk(function):
            if isinstance(node, ast.Raise) and node.exc is not None:
                raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                if ast.unparse(raised).split(".")[-1] in ERRORS:
                    return True
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                name = node.func.id
                is_new_helper = name.startswith("_") and name in self.functions and name not in seen
                if is_new_helper and self.raises(self.functions[name], seen | {name}):
                    return True
        return False


class Library:
    """All modules together, and what is wrong with their docstrings."""

    def __init__(self, modules):
        self.modules = {module.name: module for module in modules}
        self.interface = {self.origin(module, name) for module in modules for name in module.exported or []}
        listed = {module for module, _ in self.interface}
        for module in modules:
            is_recipe = module.name.startswith("npnet.recipes.")
            if module.exported is None and module.name not in listed and not module.is_private | is_recipe:
                self.interface |= {(module.name, name) for name in (*module.functions, *module.classes)}

    def origin(self, module, name):
        """Return the module and the name under which something that was imported is defined."""
        source, original = module.imported.get(name, (None, None))
        if source in self.modules and source != module.name:  # a package imports its modules from itself
            return self.origin(self.modules[source], original)
        return module.name, name

    def bases(self, module, node):
        """Yield the module and the node of every base class within the library."""
        for base in node.bases:
            source, name = self.origin(module, ast.unparse(base).partition("[")[0])
            if name in self.modules[source].classes:
                yield self.modules[source], self.modules[source].classes[name]

    def find_method(self, module, node, name, *, inherited_only=False):
        """Return the method a class has, or inherits, and the module it stands in."""
        for method in node.body if not inherited_only else ():
            if isinstance(method, FUNCTION) and method.name == name:
                return module, method
        for base_module, base in self.bases(module, node):
            if found := self.find_method(base_module, base, name):
                return found
        return None

    def complaints(self, name):
        module = self.modules[name]
        if not ast.get_docstring(module.tree):
            yield f"{name}: docstring is missing"
        for own, node in (module.functions | module.classes).items():
            is_interface = (name, own) in self.interface
            if own.startswith("_"):
                continue
            check = self.of_class if own in module.classes else self.of_function
            yield from check(module, node, is_interface)

    def of_function(self, module, node, is_interface):
        wanted = set()
        if parameter_names(node):
            wanted.add("Parameters")
        if node.returns is None or ast.unparse(node.returns) not in RETURNS_NOTHING:
            wanted.add("Returns")
        if module.raises(node):
            wanted.add("Raises")
        if module.name.startswith("npnet.functional."):
            wanted |= OPERATION_SECTIONS
        yield from compare(
            f"{module.name}.{node.name}", node, wanted if is_interface else set(), parameter_names(node)
        )

    def of_class(self, module, node, is_interface):
        source, constructor = self.find_method(module, node, "__init__") or (module, None)
        names = parameter_names(constructor) if constructor else dataclass_fields(node)
        wanted = {"Parameters"} if names and not is_error(node) else set()
        if constructor and source.raises(constructor):
            wanted.add("Raises")
        yield from compare(f"{module.name}.{node.name}", node, wanted if is_interface else set(), names)

        for method in node.body:
            if not isinstance(method, FUNCTION) or method.name.startswith("_"):
                continue
            if decorators(method) & {"overload", "setter", "deleter"}:
                continue
            is_new = self.find_method(module, node, method.name, inherited_only=True) is None
            yield from compare(
                f"{module.name}.{node.name}.{method.name}",
                method,
                {"Raises"} if is_interface and is_new and module.raises(method) else set(),
                parameter_names(method),
            )


def compare(name, node, wanted, parameters):
    """Yield what a docstring lacks of the sections wanted of it and of the parameters there are."""
    docstring = ast.get_docstring(node)
    if not docstring:
        yield f"{name}: docstring is missing"
        return
    found = sections(docstring)
    if isinstance(node, ast.ClassDef) and dataclass_fields(node) and "Attributes" in found:
        found["Parameters"] = found.get("Parameters", "") + "\n" + found["Attributes"]
    for section in sorted(wanted, key=ORDER.index):
        if section not in found and ALTERNATIVES.get(section) not in found:
            yield f"{name}: section {section} is missing"
    documented = documented_names(found.get("Parameters", ""))
    for parameter in parameters if documented else ():
        if parameter not in documented:
            yield f"{name}: parameter {parameter} is not documented"
    known = [section for section in sections(docstring) if section in ORDER]
    if known != sorted(known, key=ORDER.index):
        yield f"{name}: sections must be in the order {', '.join(ORDER)}"


def module_paths():
    """Return the source files of all modules, by name."""
    paths = {}
    for package in ("npnet", "ptref"):
        for path in sorted((ROOT / package).rglob("*.py")):
            names = path.relative_to(ROOT).with_suffix("").parts
            paths[".".join(names).removesuffix(".__init__")] = path
    return paths


PATHS = module_paths()


@cache
def library():
    return Library([Module(name, path.read_text(encoding="utf-8")) for name, path in PATHS.items()])


@pytest.mark.parametrize("name", PATHS)
def test_docstrings_are_complete(name):
    assert not (found := list(library().complaints(name))), "\n".join(found)


def test_the_interface_is_found():
    interface = library().interface
    assert {
        ("npnet.functional.linear", "linear"),
        ("npnet.nn.layer", "Layer"),
        ("npnet.definition.conv2d", "conv2d"),
        ("npnet.gradcheck.check", "gradcheck"),
    } <= interface


# ---- the rules are themselves checked --------------------------------------------------------------

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
DISORDERED = '''
    """Do it.

    Notes
    -----
    A note.

    Raises
    ------
    InputError
    """
'''


def complaints(source, name="m", **others):
    modules = [Module(key, f'"""A module."""\n{text}') for key, text in {name: source, **others}.items()]
    return list(Library(modules).complaints(name))


PLANTED = {
    "no docstring": ("def f(x): pass", "m.f: docstring is missing"),
    "no Parameters": ('def f(x) -> None:\n    """Do."""', "m.f: section Parameters is missing"),
    "no Returns": ('def f() -> int:\n    """Do."""', "m.f: section Returns is missing"),
    "no Raises": ('def f() -> None:\n    """Do."""\n    raise InputError', "m.f: section Raises is missing"),
    "no Raises for what a helper raises": (
        'def f() -> None:\n    """Do."""\n    _g()\ndef _g():\n    raise errors.DTypeError("x")',
        "m.f: section Raises is missing",
    ),
    "one parameter forgotten": (f"def f(x, y, z, w, *rest):{GOOD}", "m.f: parameter w is not documented"),
    "constructor": (
        'class C:\n    """It."""\n    def __init__(self, x): pass',
        "m.C: section Parameters is missing",
    ),
    "inherited constructor": (
        'from b import B\nclass C(B):\n    """It."""',
        "m.C: section Parameters is missing",
    ),
    "dataclass": ('@dataclass\nclass C:\n    """It."""\n    x: int', "m.C: section Parameters is missing"),
    "method": (
        'class C:\n    """It."""\n    def f(self):\n        """Do."""\n        raise InputError("no")',
        "m.C.f: section Raises is missing",
    ),
    "order": (
        f"def f() -> None:{DISORDERED}",
        f"m.f: sections must be in the order {', '.join(ORDER)}",
    ),
}
IMPLEMENTATION = '''
from b import B
class C(B):
    """It."""
    def __init__(self): pass
    def apply(self):
        """Apply it."""
        raise InputError
'''
BASE = "class B:\n    def __init__(self, x): pass\n    def apply(self): pass"


@pytest.mark.parametrize("planted", PLANTED)
def test_an_incomplete_docstring_is_named(planted):
    source, complaint = PLANTED[planted]
    assert complaints(source, b=BASE) == [complaint]


@pytest.mark.parametrize(
    "source",
    [
        f"def f(x, y, *rest, z=1):{GOOD}",
        IMPLEMENTATION,
        '__all__ = []\ndef helper(x):\n    """Help."""',
        "def _private(x): pass",
    ],
    ids=["complete", "implements a base", "not exported", "private"],
)
def test_a_complete_docstring_passes(source):
    assert complaints(source, b=BASE) == []


def test_what_a_package_exports_counts_wherever_it_stands():
    helper = 'def f(x) -> None:\n    """Do."""\ndef g(x) -> None:\n    """Do."""'
    assert complaints(helper, name="p._m", p='from p._m import f\n__all__ = ["f"]') == [
        "p._m.f: section Parameters is missing"
    ]


def test_an_operation_owes_all_sections():
    assert complaints(f"def relu(x, y, z, *rest):{GOOD}", name="npnet.functional.relu") == [
        f"npnet.functional.relu.relu: section {section} is missing"
        for section in ("Notes", "References", "Examples")
    ]
