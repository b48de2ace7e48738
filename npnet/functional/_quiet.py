"""Arithmetic without NumPy's warnings, whatever a program has set with ``np.seterr``."""

from __future__ import annotations

from functools import partial

import numpy as np

# A decorator. What overflows becomes ∞, what is too small 0, and what has no value NaN: in an operation these
# speak for themselves, as in PyTorch.
quietly = np.errstate(all="ignore")


# The same for a ``with`` block.
quiet = partial(np.errstate, all="ignore")
