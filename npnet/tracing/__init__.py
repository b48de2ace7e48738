"""One training step recorded, and the page on which it can be read.

`trace` runs a step of any model and returns a `Trace`: plain objects, one `Operation` each, with every array
of both passes. `Trace.save` writes the page.
"""

from __future__ import annotations

from npnet.tracing.operation import Kept, Operation, Statistics, statistics
from npnet.tracing.references import installed_reference
from npnet.tracing.rules import Rule
from npnet.tracing.step import Reference, Trace, trace
from npnet.tracing.sums import Factor, Sum
from npnet.tracing.updates import Update, UpdateLine

__all__ = [
    "Factor",
    "Kept",
    "Operation",
    "Reference",
    "Rule",
    "Statistics",
    "Sum",
    "Trace",
    "Update",
    "UpdateLine",
    "installed_reference",
    "statistics",
    "trace",
]
