"""Compare an operation, a layer or a model with PyTorch, forward and backward.

`compare` runs both on the same inputs with the same random upstream gradient and returns a `Report`;
`assert_parity` raises where the report finds a difference, for use in tests:

>>> import numpy as np
>>> import torch
>>> from npnet import functional as F
>>> x, weight = np.ones((4, 3)), np.ones((2, 3))
>>> compare(F.linear, torch.nn.functional.linear, x, weight).agrees
True

The rules:

1. The reference is PyTorch on the CPU in float64. Results in float64 may differ from it by a few roundings of
   each sum. Results in float32 are compared with it too, never with another float32. `ptref.bounds` derives
   the largest error that is allowed.
2. The upstream gradient is random, as ones would not reveal a transposed or unscaled gradient.
3. Inputs must not be modified, dtypes must be kept, backward must return the same when called again, and
   every memory layout must be accepted.
4. TF32 is switched off, as it keeps only 10 of 23 bits.
"""

from __future__ import annotations

from ptref._reference import without_tf32
from ptref.compare import assert_parity, compare
from ptref.report import Quantity, Report
from ptref.table import markdown, run_table

__all__ = ["Quantity", "Report", "assert_parity", "compare", "markdown", "run_table", "without_tf32"]
