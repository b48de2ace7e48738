"""The digits of scikit-learn without scikit-learn: in the browser it is 20 MB with SciPy, they are 57 kB."""

from __future__ import annotations

import gzip
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

NAMES = ("sklearn", "sklearn.datasets")


def lend(file: bytes) -> None:
    """Stand in for ``sklearn.datasets.load_digits``, with the file of digits that scikit-learn has.

    Parameters
    ----------
    file : bytes
        A gzipped table of 64 counts of dark pixels and the digit.
    """
    table = np.loadtxt(gzip.decompress(file).decode().splitlines(), delimiter=",")
    published = SimpleNamespace(images=table[:, :-1].reshape(-1, 8, 8), target=table[:, -1].astype(np.int64))
    datasets: Any = ModuleType("sklearn.datasets")
    datasets.load_digits = lambda: published
    package: Any = ModuleType("sklearn")
    package.datasets = datasets
    sys.modules.update(zip(NAMES, (package, datasets), strict=True))


def take_back() -> None:
    """Make room for scikit-learn itself."""
    for name in NAMES:
        sys.modules.pop(name, None)
