import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import jaxtyping
import pytest

import npnet

ROOT = Path(__file__).parent.parent
HEAVY = (
    "torch",
    "matplotlib",
    "sklearn",
    "rich",
    "safetensors",
    "pooch",
    "jaxtyping",
    "npnet.data",
    "npnet.train",
)


def modules(package_name):
    try:
        package = importlib.import_module(package_name)
    except ModuleNotFoundError as missing:
        if missing.name in {"torch", "torchvision"}:
            return []
        raise
    found = [info.name for info in pkgutil.walk_packages(package.__path__, f"{package_name}.")]
    return [package_name, *(name for name in found if not name.endswith("__main__"))]


def test_the_installed_package_is_what_is_tested():
    if not os.environ.get("NPNET_TEST_INSTALLED"):
        pytest.skip("NPNET_TEST_INSTALLED is not set: sources may be tested too")
    assert "site-packages" in npnet.__file__
    assert (Path(npnet.__file__).parent / "py.typed").exists()


def test_importing_npnet_imports_nothing_heavy():
    code = f"import sys, npnet; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_annotations_can_be_read_where_jaxtyping_is_not_loaded():
    code = "import sys, typing, npnet\n"
    code += "hints = typing.get_type_hints(npnet.functional.linear, include_extras=True)\n"
    code += "print(*hints['weight'].__metadata__, 'jaxtyping' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Float", "out_features", "in_features", "False"]


def test_every_name_is_there_after_import_npnet():
    code = "import npnet; [getattr(npnet, name) for name in npnet.__all__]"
    code += "; assert set(npnet.__all__) <= set(dir(npnet))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'npnet' has no attribute 'layers'"):
        npnet.layers  # noqa: B018 - touched on purpose


def test_the_engine_works_where_torch_is_not_installed(tmp_path):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no torch here', name='torch')")
    names = [name for name in modules("npnet") if name != "npnet.cli"]
    code = f"import importlib\nfor name in {names}: importlib.import_module(name)"
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [*modules("npnet"), *modules("ptref")])
def test_examples_in_docstrings(name):
    # A user's own layer in an example carries no annotations to be checked.
    jaxtyping.config.update("jaxtyping_disable", True)  # noqa: FBT003 - the library's signature
    try:
        result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)  # noqa: FBT003
    assert result.failed == 0


def test_the_examples_of_the_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"```python( continued)?\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL
    )
    assert blocks
    names = {}
    for continued, block in blocks:
        if "ptref" in block:
            pytest.importorskip("torch")
        names = names if continued else {}
        exec(compile(block, "README.md", "exec"), names)


def test_the_project_says_nothing_of_where_it_was_made():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    told = re.compile("/wo" + "rk/|/ro" + "ot/|sha" + "red/")
    for name in tracked:
        if Path(name).suffix in {".py", ".md", ".toml", ".json", ""}:
            assert not told.search((ROOT / name).read_text(errors="ignore")), name
