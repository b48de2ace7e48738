"""No import goes from a lower floor to a higher one, and no modules import each other in a circle.

All imports in the source count, those within functions too. An import under ``if TYPE_CHECKING:`` never
runs, so it cannot close a circle; but it may not point upwards either.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

import npnet

# Lowest first; modules of one floor may import each other. A name stands for a module of npnet, or a package
# with everything in it; "npnet" is the package's own `__init__`. A new module goes on the lowest floor from
# which it reaches what it needs.
TABLE = """
errors shapes _announced _limits _lock _pages _types _whole _words
kernels
check table
_from_pytorch _quiet _regular definition run
functional
nn
_judged _metric_arguments gradcheck metrics models optim parallel
checkpoint data
train
npnet
_architecture _saved_model plot saved tracing
engines experiments
recipes
_kept_run
__main__ cli
"""
FLOORS = [
    {"npnet" if name == "npnet" else f"npnet.{name}" for name in line.split()}
    for line in TABLE.strip().splitlines()
]
# The package lists modules of higher floors for type checkers, and loads them when they are first used.
LAZY = "npnet"


class Imports:
    """Which modules of a package each of its modules imports."""

    def __init__(self, sources):
        self.sources = sources
        self.always, self.for_types = {}, {}
        for module, source in sources.items():
            tree = ast.parse(source)
            guarded = {node for statement in _guarded(tree) for node in _imports(statement)}
            self.always[module] = self._modules(_imports(tree) - guarded) - {module}
            self.for_types[module] = self._modules(guarded) - {module}

    def _modules(self, nodes):
        paths = {path for node in nodes for path in _paths(node)}
        return {module for path in paths if (module := self._longest(path))}

    def _longest(self, path):
        """Return the module that a dotted path leads into: ``npnet.check.integer`` is in `npnet.check`."""
        while path and path not in self.sources:
            path = path.rpartition(".")[0]
        return path


def _imports(tree):
    return {node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)}


def _guarded(tree):
    """Yield the statements that only a type checker runs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from node.orelse if isinstance(node.test, ast.UnaryOp) else node.body


def _paths(node):
    """Return the dotted paths that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert not node.level, "imports are absolute"
    return [f"{node.module}.{alias.name}" for alias in node.names]


def floor_of(module, floors):
    """Return the number of the floor on which a module, or else its package, stands; None if on none."""
    numbers = {name: number for number, names in enumerate(floors) for name in names}
    while module not in numbers and module.count(".") > 1:
        module = module.rpartition(".")[0]
    return numbers.get(module)


def upward_imports(imports, floors):
    """Return every import from a lower floor to a higher one, as a line of text."""
    return [
        f"{module} (floor {floor_of(module, floors)}) imports {imported} (floor {floor_of(imported, floors)})"
        for module in imports.sources
        for imported in imports.always[module] | (imports.for_types[module] if module != LAZY else set())
        if floor_of(imported, floors) > floor_of(module, floors)
    ]


def circles(imports):
    """Return the groups of modules that import each other, directly or by way of others."""
    reached = {module: _reachable(module, imports.always) for module in imports.sources}
    groups = {frozenset(a for a in reached[m] if m in reached[a]) for m in reached if m in reached[m]}
    return [sorted(group) for group in groups]


def _reachable(module, edges):
    found, waiting = set(), [module]
    while waiting:
        for imported in edges[waiting.pop()] - found:
            found.add(imported)
            waiting.append(imported)
    return found


@cache
def sources(package):
    """Return the source of every module, by its dotted name."""
    folder = Path(npnet.__file__).parents[1]
    paths = sorted(Path(folder, package).rglob("*.py"))
    names = [
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__") for path in paths
    ]
    return {name: path.read_text(encoding="utf-8") for name, path in zip(names, paths, strict=True)}


def test_every_module_has_a_floor():
    assert [module for module in sources("npnet") if floor_of(module, FLOORS) is None] == []


def test_no_import_goes_up():
    assert upward_imports(Imports(sources("npnet")), FLOORS) == []


def test_no_modules_import_each_other_in_a_circle():
    assert circles(Imports(sources("npnet"))) == []


# ---- the rules are themselves checked ------------------------------------------------------------------

SMALL = ({"npnet.low"}, {"npnet"}, {"npnet.high"})


@pytest.mark.parametrize(
    "line",
    [
        "import npnet.high",
        "import npnet.high.inner as inner",
        "from npnet import high",
        "from npnet.high import anything",
        "def f():\n    from npnet.high.inner import g",
        "if TYPE_CHECKING:\n    from npnet import high",
        "if not TYPE_CHECKING:\n    from npnet import high",
    ],
)
def test_an_import_that_goes_up_is_found(line):
    modules = {"npnet": "", "npnet.low": line, "npnet.high": "", "npnet.high.inner": ""}
    found = upward_imports(Imports(modules), SMALL)
    assert len(found) == 1
    assert found[0].startswith("npnet.low (floor 0) imports npnet.high")


def test_the_package_may_name_higher_modules_for_type_checkers_alone():
    lazy = {"npnet": "if TYPE_CHECKING:\n    from npnet import high", "npnet.low": "", "npnet.high": ""}
    assert upward_imports(Imports(lazy), SMALL) == []
    eager = lazy | {"npnet": "from npnet import high"}
    assert upward_imports(Imports(eager), SMALL) == ["npnet (floor 1) imports npnet.high (floor 2)"]


def test_a_circle_is_found_wherever_its_imports_stand():
    modules = {
        "npnet": "",
        "npnet.a": "from npnet.b import f",
        "npnet.b": "def f():\n    import npnet.c",
        "npnet.c": "from npnet import a",
        "npnet.d": "from npnet import a",
    }
    assert circles(Imports(modules)) == [["npnet.a", "npnet.b", "npnet.c"]]
    apart = modules | {"npnet.c": "if TYPE_CHECKING:\n    from npnet import a"}
    assert circles(Imports(apart)) == []


def test_a_module_that_is_not_in_the_table_has_no_floor():
    assert floor_of("npnet.unheard_of", FLOORS) is None
    assert floor_of("npnet.nn.layer", FLOORS) == floor_of("npnet.nn", FLOORS)
    assert floor_of("npnet", FLOORS) == next(i for i, names in enumerate(FLOORS) if "npnet" in names)
