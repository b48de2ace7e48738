"""Other engines whose gradients can stand beside those of a trace: packages announce them by entry points."""

from __future__ import annotations

from importlib.metadata import entry_points

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
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found: Reference = point.load()
        except (ImportError, AttributeError):  # its engine is not installed
            continue
        return found
    return None
