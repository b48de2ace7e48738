"""Other engines whose gradients can stand beside those of a trace: packages announce them by entry points."""

from __future__ import annotations

from npnet.errors import MissingError
from npnet.tracing.step import Reference

GROUP = "npnet.trace_references"


def installed_reference() -> Reference | None:
    """Return what computes the gradients of another engine, None if none is installed that can be loaded.

    A package announces its own by an entry point of the group ``npnet.trace_references``, as npnet's own
    package `ptref` does for PyTorch.

    Returns
    -------
    reference : callable or None
        For the argument `reference` of `npnet.trace`.
    """
    from npnet._announced import announced, load  # noqa: PLC0415 - slow to load, and seldom needed

    for point in announced(GROUP).values():
        try:
            found: Reference = load(point)
        except MissingError:  # its engine is not installed
            continue
        return found
    return None
