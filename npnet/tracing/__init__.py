"""One training step recorded, and the page on which it can be read.

`trace` runs a step of any model and returns a `Trace`: plain objects, one `Operation` each, with every array
of both passes. `Trace.save` writes the page.
"""

from __future__ import annotations

from npnet.tracing._terms import sum_of
from npnet.tracing.operation import Kept, Operation, Statistics, statistics
from npnet.tracing.sums import Factor, Sum, label
from npnet.tracing.trace import Reference, Trace, trace

__all__ = [
    "Factor",
    "Kept",
    "Operation",
    "Reference",
    "Statistics",
    "Sum",
    "Trace",
    "label",
    "statistics",
    "sum_of",
    "trace",
]
