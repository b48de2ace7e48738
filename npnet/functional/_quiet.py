"""Arithmetic without NumPy's warnings, whatever a program has set with ``np.seterr``."""

from __future__ import annotations

import numpy as np

# A decorator. What overflows becomes ∞, what is too small 0, and what has no value NaN: in an operation these
# speak for themselves, as in PyTorch.
quietly = np.errstate(all="ignore")


def quiet() -> np.errstate:
    """Do the same for a ``with`` block, which takes a little longer than the decorator."""
    return np.errstate(all="ignore")
