"""How near steps come to the ceiling of a CPU, made from the JSON of the measurement alone."""

from __future__ import annotations

from benchmarks.gpu_report import EAGER, NPNET, Table
from benchmarks.results import Results
from benchmarks.samples import summary

# Names, which stand here as measuring needs PyTorch and reporting does not.
PRODUCTS, COPIES = "products of float32 matrices", "copies"
UNITS = {PRODUCTS: (1e9, "GFLOP/s"), COPIES: (1e9, "GB/s")}


def rates(results: Results) -> dict[str, float]:
    """Return the faster engine's rate of products and of copies, in operations and bytes a second."""
    return {
        record.about["ceiling"]: max(summary(values).median for values in record.samples.values())
        for record in results.records
        if "ceiling" in record.about
    }


def shares(results: Results) -> dict[tuple[str, str], dict[str, float]]:
    """Return the least time a run could take ÷ the time it took, by work and kind, for each engine."""
    ceiling = rates(results)
    found = {}
    for record in results.records:
        if "work" in record.about:
            about = record.about
            least = max(about["operations"] / ceiling[PRODUCTS], about["bytes"] / ceiling[COPIES])
            found[about["work"], about["kind"]] = {
                engine: least / summary(seconds).median for engine, seconds in record.samples.items()
            }
    return found


def tables(results: Results) -> list[Table]:
    """Return the rates measured, and the share of the ceiling that each engine reaches."""
    measured = [
        [name, *(_rate(name, summary(record.samples[engine]).median) for engine in (NPNET, EAGER))]
        for record in results.records
        if (name := record.about.get("ceiling")) is not None
    ]
    reached = [
        [
            work,
            kind,
            *(f"{100 * share[engine]:.2g} %" if engine in share else "" for engine in (NPNET, EAGER)),
        ]
        for (work, kind), share in shares(results).items()
    ]
    return [
        (["ceiling", "NumPy", EAGER], measured),
        (["work", "kind", f"{NPNET}: share of the ceiling", EAGER], reached),
    ]


def _rate(name: str, value: float) -> str:
    scale, unit = UNITS[name]
    return f"{value / scale:.3g} {unit}"
