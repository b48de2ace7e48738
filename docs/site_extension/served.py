"""What the site serves beside its pages: Python in the browser, wheels, and the digits."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from site_extension import pictures, runner

PYODIDE = "https://cdn.jsdelivr.net/pyodide/v0.27.7/full/"
ROOT = Path(__file__).parents[2]
NEEDED = "rich"  # draws npnet's tables: pure Python, and not among Pyodide's own packages


def add_wheels(app: Any, exception: Exception | None) -> None:
    """Put npnet's wheel, the package it needs and what runs examples into the site.

    Parameters
    ----------
    app : Sphinx
    exception : Exception or None
        Why the build failed.
    """
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    for module in (runner, pictures):
        shutil.copy(str(module.__file__), static)
    wheels = static / "wheels"
    wheels.mkdir(exist_ok=True)
    for old in wheels.glob("*.whl"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
        subprocess.run(build, check=True, cwd=ROOT, capture_output=True)  # noqa: S603 - the command is ours
        for path in Path(folder).glob("*.whl"):
            shutil.copy(path, wheels)
    pack_installed(NEEDED, wheels, [".py", "LICENSE"])
    # All of scikit-learn and SciPy would be 20 MB: npnet reads the digits without importing them.
    pack_installed("scikit-learn", wheels, ["digits.csv.gz", "COPYING"])
    (wheels / "index.json").write_text(json.dumps(sorted(path.name for path in wheels.glob("*.whl"))))


def pack_installed(name: str, folder: Path, endings: Sequence[str]) -> Path:
    """Write files of an installed package into an archive that unpacks as its wheel does.

    Parameters
    ----------
    name : str
        The package, as it was installed.
    folder : Path
        Where the archive is written.
    endings : sequence of str
        Files are taken whose path ends with one of these.

    Returns
    -------
    archive : Path
    """
    package = metadata.distribution(name)
    taken = [path for path in package.files or () if path.as_posix().endswith(tuple(endings))]
    archive = folder / f"{name}-{package.version}.whl"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in taken:
            file.write(path.locate(), path.as_posix())
    return archive


def copy_pyodide(app: Any, exception: Exception | None) -> None:
    """Copy Pyodide from the folder that `pyodide` names in the configuration, if it names one."""
    folder = app.config.pyodide
    if exception is None and folder and app.builder.format == "html":
        target = Path(app.outdir) / "_static" / "pyodide"
        shutil.copytree(folder, target, dirs_exist_ok=True, copy_function=_copy_if_new)


def address(app: Any) -> str:
    """Return where pages find Pyodide: its CDN, or a folder beside the other static files."""
    return "./pyodide/" if app.config.pyodide else PYODIDE


def _copy_if_new(source: str, target: str) -> str:
    """Copy a file without its permissions: the folder may be read-only."""
    to = Path(target)
    if not to.exists() or to.stat().st_size != Path(source).stat().st_size:
        shutil.copyfile(source, target)
    return target
