"""The command line: ``python -m benchmarks [SUITE]``, of those of the CPU, those of a GPU, or ``report``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import environment, results
from benchmarks.suite import LINKS, Settings
from npnet import parallel
from npnet.errors import InputError

SUITES = ("step", "ops", "scaling", "memory", "accuracy", "ceiling")
MORE_SUITES = ("plan",)
GPU_SUITES = ("gpu", "throughput", "mnist-fast", "cifar10-fast")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen suites, save their results, and print and draw them.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    status : int
        0 after success, 2 after a user's mistake, 130 after Ctrl-C.
    """
    chosen = _parser().parse_args(arguments)
    suites = {"all": SUITES, "report": (*SUITES, *MORE_SUITES, *GPU_SUITES)}.get(
        chosen.suite, (chosen.suite,)
    )
    try:
        if chosen.suite != "report":
            environment.require_torch()
            results.require_writable(chosen.out)
        settings = Settings(
            parallel.cores() if chosen.threads is None else chosen.threads,
            chosen.quick,
            chosen.data,
            chosen.seconds,
            chosen.out if chosen.add else None,
            tuple(chosen.link or LINKS),
        )
        for suite in suites:
            path = chosen.out / f"{suite}.json"
            if chosen.suite != "report":
                results.write(_module(suite).measure(settings), chosen.out)
            elif not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for a name that is too long
                continue
            _show(path)
    except InputError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("benchmarks: interrupted; the results of finished suites are saved", file=sys.stderr)
        return 130
    return 0


def _module(suite: str) -> Any:
    return import_module(f"benchmarks.{suite.replace('-', '_')}")


def _show(path: Path) -> None:
    """Print a suite's table, and save table and figure beside its JSON file."""
    from benchmarks import figures, report  # noqa: PLC0415 - measuring needs neither

    found = results.read(path)
    results.write_whole(path.with_suffix(".md"), report.markdown(found).encode())
    print(report.terminal(found))
    figure = figures.draw(found, path.parent)
    if figure is not None:
        print(f"figure: {figure}")
    print()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Time npnet beside PyTorch on this machine."
    )
    parser.add_argument(
        "suite",
        nargs="?",
        default="all",
        choices=(*SUITES, *MORE_SUITES, *GPU_SUITES, "all", "report"),
        help="what to measure; all needs no GPU; report prints and draws saved results again",
    )
    parser.add_argument("--threads", type=int, help="threads of every engine (default: the number of cores)")
    parser.add_argument("--quick", action="store_true", help="check in a minute that everything runs")
    parser.add_argument("--out", type=Path, default=results.FOLDER, help="folder for results")
    parser.add_argument(
        "--data", type=Path, help="folder of the data sets, for accuracy, mnist-fast, cifar10-fast"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        help="start no new measurement after this time (suites of a GPU; default: no limit)",
    )
    parser.add_argument(
        "--link",
        action="append",
        metavar="NAME=GBIT,MICROSECONDS",
        help="plan for this link: its bandwidth and its latency; may be given several times (plan)",
    )
    parser.add_argument(
        "--add",
        action="store_true",
        help="keep what is in --out, measure what is missing and save each measurement (suites of a GPU)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
