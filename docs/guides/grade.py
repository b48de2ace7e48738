"""Grade a folder of students' files, a layer in each: ``python grade.py FOLDER``.

The exercise is PReLU: y = x where x > 0 and w · x elsewhere, with one learnt w for each feature. A file
defines ``PReLU(features)``, a subclass of `npnet.nn.Layer` whose parameter is called "weight".

Each file runs in a process of its own, so an endless loop or a crash costs nothing but its own mark. That
guards against mistakes, not against malice: grade the files of strangers in a container.
"""

import argparse
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

import npnet
from npnet import nn
from ptref import parity

SECONDS = 60  # for one file; loading PyTorch takes some of them
PASSED = "passed"


def check(path: Path) -> str:
    """Return what is wrong with a file, in a line, or that it passed."""
    made = runpy.run_path(str(path)).get("PReLU")
    if not isinstance(made, type) or not issubclass(made, nn.Layer):
        return "there is no class PReLU that is a layer"
    layer = made(4)
    if list(layer.parameters) != ["weight"] or layer.weight.shape != (4,):
        return "PReLU(4) must have one parameter, weight, with 4 numbers"

    rng = np.random.default_rng(0)
    layer.astype(np.float64)
    layer.weight = rng.uniform(0.1, 0.9, size=4)  # neither 0 nor 1, at which mistakes hide
    x = rng.normal(size=(3, 4))
    report = npnet.gradcheck(layer, x, raise_error=False)  # is backward the derivative of forward?
    if not report.passed:
        return report.reason
    for dtype in (np.float64, np.float32):  # and is forward what was asked for?
        layer.astype(dtype)
        found = parity.compare(layer, torch.nn.PReLU(4), x.astype(dtype))
        if not found.agrees:
            return f"unlike PyTorch's: {found.reason.split('; ')[0]}"
    return PASSED


def mark(path: Path) -> str:
    """Have a file checked by a process of its own, and return what it says."""
    command = [sys.executable, __file__, "--check", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {SECONDS} s"
    said = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    return said[-1] if said else f"ended by itself, with status {done.returncode}"


def main() -> None:
    """Grade a folder, or check a single file."""
    parser = argparse.ArgumentParser(description="Grade a folder of students' files, a PReLU in each.")
    parser.add_argument("path", type=Path, help="the folder")
    parser.add_argument("--check", action="store_true", help="check a single file, in this process")
    given = parser.parse_args()
    if given.check:
        print(check(given.path))
        return
    marks = {path.stem: mark(path) for path in sorted(given.path.glob("*.py"))}
    if not marks:
        parser.error(f"{given.path} must be a folder with files of Python, got none")
    for name, said in marks.items():
        print(f"{name:8} {said}")
    print(f"{list(marks.values()).count(PASSED)} of {len(marks)} passed")


if __name__ == "__main__":
    main()
