"""Whether an operation, a layer or a model agrees with PyTorch, forward and backward.

`compare` runs both on the same inputs with the same random upstream gradient and returns a `Report`;
`assert_parity` raises where the report finds a difference, for use in tests:

>>> import numpy as np
>>> import torch
>>> from npnet import functional as F
>>> x, weight = np.ones((4, 3)), np.ones((2, 3))
>>> compare(F.linear, torch.nn.functional.linear, x, weight).agrees
True

The rules:

1. The truth is PyTorch on the CPU in float64. float64 results may differ from it by a few roundings of each
   sum; float32 results are judged by their distance from it, never by their distance from another float32.
   `ptref.bounds` derives how large that distance may be.
2. The upstream gradient is random: with ones a transposed or an unscaled gradient goes unseen.
3. Nothing that is passed in may be modified, dtypes stay, backward gives the same when called again, and
   arrays may lie in memory in any way.
4. TF32 is switched off, as it keeps 10 bits of 23.
"""

from __future__ import annotations

from ptref._reference import without_tf32
from ptref.compare import assert_parity, compare
from ptref.report import Quantity, Report
from ptref.table import markdown, run_table

__all__ = ["Quantity", "Report", "assert_parity", "compare", "markdown", "run_table", "without_tf32"]
