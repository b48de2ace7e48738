"""Kernels stand below the operations that use them, and say what they are about."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import npnet
from npnet import kernels

ROOT = Path(npnet.__file__).parent
KERNELS = sorted(info.name for info in pkgutil.iter_modules(kernels.__path__))
BELOW = ("npnet.errors", "npnet.shapes", "npnet._types", "npnet.kernels")


def imported(file):
    """Return the modules of npnet that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("npnet.")}


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_imports_nothing_from_above(name):
    assert [
        module for module in imported(ROOT / "kernels" / f"{name}.py") if not module.startswith(BELOW)
    ] == []


@pytest.mark.parametrize("room", ["functional", "kernels", "optim"])
def test_no_other_room_imports_what_is_private_to_a_room(room):
    private = {
        (str(file.relative_to(ROOT)), module)
        for file in ROOT.rglob("*.py")
        for module in imported(file)
        if module.startswith(f"npnet.{room}._") and file.relative_to(ROOT).parts[0] != room
    }
    assert private == set()


def with_suits():
    modules = [importlib.import_module(f"npnet.kernels.{name}") for name in KERNELS]
    return [module for module in modules if hasattr(module, "suits")]


def test_kernels_of_operations_are_found():
    assert {"conv2d", "max_pool2d", "batch_norm"} <= {
        module.__name__.split(".")[-1] for module in with_suits()
    }


@pytest.mark.parametrize("module", with_suits(), ids=lambda module: module.__name__)
def test_a_kernel_says_its_idea_when_it_suits_and_what_bounds_it(module):
    assert "Idea: " in module.__doc__
    assert "suit" in module.__doc__
    assert "bound" in module.__doc__
