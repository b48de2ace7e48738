"""The table of all operations, layers and models against PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from rich.console import Console
from rich.progress import track

from npnet import check
from npnet.errors import InputError
from npnet.table import table
from ptref.cases import Case, Row
from ptref.compare import check_device
from ptref.draw import DTYPES, Seeded
from ptref.report import Report
from ptref.rows import row, rows

EXAMPLES = 100
COLUMNS = ("", "name", "dtype", "cases", "error ÷ bound", "npnet ÷ PyTorch", "agrees")


@dataclass
class Result:
    """What all cases of one row in one dtype came to.

    Attributes
    ----------
    row : Row
    dtype : numpy dtype
    cases : int
    error_over_bound : float
        The largest of all cases.
    ratios : list of float
        npnet's worst error ÷ PyTorch's, of each float32 case.
    failures : list of str
        The reports of the cases that differ, and the errors of those that could not be run.
    """

    row: Row
    dtype: np.dtype
    cases: int = 0
    error_over_bound: float = 0.0
    ratios: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether every case agrees."""
        return not self.failures

    @property
    def over_torch(self) -> float | None:
        """The median ratio over the cases in which anything was rounded at all; None without such."""
        return median(self.ratios) if self.ratios else None

    def add(self, report: Report) -> None:
        """Take one more case into account."""
        self.cases += 1
        self.error_over_bound = max(self.error_over_bound, report.error_over_bound)
        rounded = any(quantity.other_over_bound or quantity.worst_error for quantity in report.quantities)
        if report.over_torch is not None and rounded:
            self.ratios.append(report.over_torch)
        if not report.agrees:
            self.failures.append(str(report))


def measure(
    which: Row, dtype: np.dtype, examples: int = EXAMPLES, *, device: str = "cpu", seed: int = 0
) -> Result:
    """Compare as many seeded cases of one row as are asked for.

    Examples
    --------
    >>> measure(row("relu"), np.dtype(np.float32), examples=5).agrees
    True
    """
    examples = check.integer("parity", "examples", examples, least=1)
    seed = check.integer("parity", "seed", seed, least=0)
    check.instance("parity", "which", which, Row, "a row of the table, as ptref.rows.row gives")
    result = Result(which, check.float_dtype("parity", dtype))
    check_device(device)
    for i in range(-(-examples // which.cost)):
        case = which.draw(Seeded(np.random.default_rng([seed, i])), dtype)
        try:
            result.add(case.compare(device=device))
        except InputError as error:  # PyTorch takes what is drawn, so npnet must
            result.cases += 1
            result.failures.append(_refused(case, error))
    return result


def run_table(
    op: str | None = None,
    dtype: str | None = None,
    device: str = "cpu",
    examples: int = EXAMPLES,
    *,
    seed: int = 0,
) -> int:
    """Compare everything with PyTorch, print the table and the first difference of each row.

    Parameters
    ----------
    op : str, optional
        One operation, layer or model alone.
    dtype : {"float32", "float64"}, optional
        One dtype alone.
    device : {"cpu", "cuda"}
        "cuda" has PyTorch on CUDA judged too.
    examples : int
        Cases for each row and dtype.
    seed : int
        The same seed draws the same cases.

    Returns
    -------
    status : int
        0 if all agree, 1 otherwise.

    Raises
    ------
    InputError
        If the name, the dtype or the device is unknown, or the number of examples is not positive.
    MissingError
        If CUDA is asked for and there is none.

    Examples
    --------
    >>> run_table(op="flatten", dtype="float64", examples=5)
                name      dtype     cases   error ÷ bound   npnet ÷ PyTorch   agrees
    ────────────────────────────────────────────────────────────────────────────────
    operation   flatten   float64       5   0.000                             yes
    <BLANKLINE>
    agree: 1 of 1
    0
    """
    results = results_of(rows() if op is None else [row(op, "op")], dtype, examples, device=device, seed=seed)
    agreeing = sum(result.agrees for result in results)
    parts = [table(COLUMNS, [_line(result) for result in results])]
    parts += [_first_failure(result) for result in results if not result.agrees]
    parts += [f"agree: {agreeing} of {len(results)}"]
    print("\n\n".join(parts))  # noqa: T201 - what the command is for
    return 0 if agreeing == len(results) else 1


def markdown(examples: int = EXAMPLES, *, seed: int = 0) -> str:
    """Return the table of accuracy in Markdown, float32: what the README shows.

    Parameters
    ----------
    examples : int
        Cases for each operation.
    seed : int
        The same seed draws the same cases.

    Returns
    -------
    text : str

    Examples
    --------
    >>> print(markdown(examples=2).splitlines()[0])
    | operation | cases | worst error ÷ bound | npnet's error ÷ PyTorch's, median |
    """
    operations = [candidate for candidate in rows() if candidate.kind == "operation"]
    lines = [
        "| operation | cases | worst error ÷ bound | npnet's error ÷ PyTorch's, median |",
        "|---|--:|--:|--:|",
    ]
    for result in results_of(operations, "float32", examples, seed=seed):
        exact = result.error_over_bound == 0 and result.over_torch is None
        ratio = "both exact" if result.over_torch is None else f"{result.over_torch:.2f}"
        error = "exact" if exact else f"{result.error_over_bound:.2f}"
        lines.append(f"| `{result.row.name}` | {result.cases} | {error} | {ratio} |")
    return "\n".join(lines)


def results_of(
    which: Sequence[Row], dtype: str | None, examples: int, *, device: str = "cpu", seed: int = 0
) -> list[Result]:
    """Measure rows in all the dtypes they are compared in, or in one."""
    check_device(device)
    examples = check.integer("parity", "examples", examples, least=1)
    seed = check.integer("parity", "seed", seed, least=0)
    if dtype is not None:
        check.choice("parity", "dtype", dtype, [str(known) for known in DTYPES])
    pairs = [(line, kind) for line in which for kind in line.dtypes if dtype in (None, str(kind))]
    hidden = not sys.stderr.isatty()
    shown = track(pairs, "comparing", console=Console(stderr=True), transient=True, disable=hidden)
    return [measure(line, kind, examples, device=device, seed=seed) for line, kind in shown]


def _line(result: Result) -> list[object]:
    ratio = "" if result.over_torch is None else f"{result.over_torch:.2f}"
    return [
        result.row.kind,
        result.row.name,
        str(result.dtype),
        result.cases,
        f"{result.error_over_bound:.3f}",
        ratio,
        "yes" if result.agrees else "NO",
    ]


def _first_failure(result: Result) -> str:
    return f"{len(result.failures)} of {result.cases} cases differ, the first:\n{result.failures[0]}"


def _refused(case: Case, error: InputError) -> str:
    shapes = ", ".join("absent" if x is None else str(x.shape) for x in case.inputs)
    return f"{case.name} refuses what PyTorch takes: {error}\ninputs: {shapes}, options: {case.options}"
