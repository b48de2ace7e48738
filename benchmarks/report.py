"""Tables of results, made from their JSON files alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks import ceiling_report, gpu_report, plan_report
from benchmarks.peers import PEERS
from benchmarks.results import Record, Results, axes
from benchmarks.samples import Ratio, exponent, ratio, summary
from npnet.table import table

NPNET = "npnet"
RIVALS = ("PyTorch", "PyTorch channels-last")  # ratios are to the faster one
STUDENT = "PyTorch, DataLoader"  # as its tutorials write it
BESIDE = (*PEERS, STUDENT)  # who stands in a table of their own
NOISY = "too noisy"


def heading(results: Results) -> str:
    """Return a line about the suite, the machine, the libraries and the number of threads."""
    environment = results.environment
    libraries = ", ".join(f"{name} {version}" for name, version in environment["libraries"].items())
    blas = ", ".join(f"{b['internal_api']} {b['version']} ({b['architecture']})" for b in environment["blas"])
    threads = environment["threads"]
    return (
        f"{results.suite}: {environment['processor']}, {environment['cores']} cores, "
        f"{threads} thread{'s' if threads > 1 else ''} each; {libraries}; BLAS {blas}; "
        f"{environment['python']}{_card(environment.get('cuda'))}; {environment['when']}"
    )


def _card(card: Mapping[str, str] | None) -> str:
    if card is None:
        return ""
    return (
        f"; GPU {card['name']}, {card['memory']}, driver {card['driver']}, CUDA {card['cuda']}, "
        f"cuDNN {card['cudnn']}"
    )


def columns(results: Results) -> list[str]:
    """Return the headings of the table: the workload, the engines, the ratio."""
    return [*_about(results), *_engines(results), "ratio", "95 % interval", "target"]


def rows(results: Results) -> list[list[str]]:
    """Return the rows of the table."""
    return [
        [
            *_about_cells(results, record),
            *(_time(record, engine) for engine in _engines(results)),
            *_ratio_cells(record_ratio(record), record.at_most),
        ]
        for record in results.records
    ]


def peer_columns(results: Results) -> list[str]:
    """Return the headings of the table of peers."""
    return [*_about(results), "peer", "npnet ÷ peer", "95 % interval", "target"]


def peer_rows(results: Results) -> list[list[str]]:
    """Return the rows of the table of peers, which may be empty."""
    return [
        [
            *_about_cells(results, record),
            peer,
            *_ratio_cells(record_ratio(record, (peer,)), record.peers_at_most.get(peer)),
        ]
        for peer in BESIDE
        for record in results.records
        if peer in record.samples
    ]


def tables(results: Results) -> list[gpu_report.Table]:
    """Return all tables of a suite, each with its headings."""
    of_suite = {
        "ceiling": ceiling_report.tables,
        "gpu": gpu_report.tables,
        "plan": plan_report.tables,
        "throughput": gpu_report.throughput_tables,
        "mnist-fast": gpu_report.time_to_accuracy_tables,
        "cifar10-fast": gpu_report.time_to_accuracy_tables,
    }.get(results.suite)
    if of_suite is not None:
        return of_suite(results) if results.records else []
    found = [(columns(results), rows(results))] if results.records else []
    return [*found, (peer_columns(results), peer_rows(results))] if peer_rows(results) else found


def terminal(results: Results) -> str:
    """Draw the tables for a terminal."""
    drawn = [table(names, cells) for names, cells in tables(results)]
    return "\n".join([heading(results), *drawn, *_exponents(results), *results.notes])


def markdown(results: Results, only: Sequence[int] = ()) -> str:
    """Write the tables in Markdown: those of these numbers, from 1, or all of them."""
    lines = [heading(results), ""]
    for number, (names, cells) in enumerate(tables(results), start=1):
        if not only or number in only:
            lines += _table(names, cells)
    return "\n".join([*lines, *_exponents(results), *results.notes]) + "\n"


def record_ratio(record: Record, rivals: Sequence[str] = RIVALS) -> Ratio | None:
    """Return npnet's time over that of its fastest rival, or None if either was not measured."""
    theirs = {name: record.samples[name] for name in rivals if name in record.samples}
    if NPNET not in record.samples or not theirs or record.unit == "accuracy":
        return None
    return ratio(record.samples[NPNET], theirs)


def _ratio_cells(found: Ratio | None, at_most: float | None) -> list[str]:
    target = "" if at_most is None else f"≤ {at_most:g}"
    if found is None:
        return ["", "", target]
    return [
        _number(found.value) if found.is_reliable else NOISY,
        f"{_number(found.low)} – {_number(found.high)}",
        target,
    ]


def _number(value: float) -> str:
    """Return a ratio with two decimals, or with two significant digits if it is below 0.1."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _time(record: Record, engine: str) -> str:
    if engine not in record.samples:
        return ""
    found = summary(record.samples[engine])
    scale, unit = _scale(found.median, record.unit)
    half_range = (found.upper - found.lower) / 2
    return f"{found.median * scale:.3g} ± {half_range * scale:.2g} {unit}"


def _scale(value: float, unit: str) -> tuple[float, str]:
    if unit == "accuracy":
        return 100, "%"
    if unit == "byte":
        return 1 / 2**20, "MiB"
    return next(
        ((factor, name) for limit, factor, name in ((1e-3, 1e6, "µs"), (1, 1e3, "ms")) if value < limit),
        (1.0, "s"),
    )


def _engines(results: Results) -> list[str]:
    return list(dict.fromkeys(engine for record in results.records for engine in record.samples))


def _about(results: Results) -> list[str]:
    return list(dict.fromkeys(name for record in results.records for name in record.about))


def _about_cells(results: Results, record: Record) -> list[str]:
    return [str(record.about.get(name, "")) for name in _about(results)]


def _exponents(results: Results) -> list[str]:
    """Return a line for each axis with the exponents of the growth of time."""
    if results.suite != "scaling":
        return []
    lines = []
    for axis, records in axes(results).items():
        if axis == "threads" or len(records) < 2:
            continue
        sizes = [size for size, _ in records]
        fits = []
        for engine in records[0][1].samples:
            medians = [summary(record.samples[engine]).median for _, record in records]
            fits.append(f"{engine} {exponent(sizes, medians):.2f}")
        lines.append(f"time ∝ ({axis})^p with p = {', '.join(fits)}")
    return lines


def _table(names: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    return [_line(names), _line(["---"] * len(names)), *map(_line, cells), ""]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
