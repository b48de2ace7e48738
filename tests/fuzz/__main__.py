"""Fuzz every reader and the command line: ``python -m tests.fuzz``, or ``make fuzz``.

Inputs are valid files with random changes; `tests.fuzz.guided` chooses them by coverage instead. What finds
something is kept in ``tests/fuzz/corpus``.
"""

import argparse
import contextlib
import hashlib
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

from npnet.table import table
from tests.fuzz import targets
from tests.fuzz.mutate import mutated

CORPUS = Path(__file__).parent / "corpus"
# Inputs of each target in a million: as many as their speeds allow.
SHARES = {
    targets.arrays: 250_000, targets.saved_model: 120_000, targets.training_checkpoint: 130_000,
    targets.idx: 300_000, targets.idx_gz: 90_000, targets.table: 30_000, targets.signs: 20_000,
    targets.picture: 30_000, targets.kept_run: 20_000, targets.command_line: 8_000, targets.resumed: 2_000,
}  # fmt: skip
SECONDS, GIBIBYTE = 20, 2**30


class HangsError(Exception):
    """An input took too long."""


def try_input(target, content):
    """Run a target on an input; return what went wrong, and keep such an input."""

    def too_long(_number, _frame):
        raise HangsError(f"took more than {SECONDS} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        targets.call(target, content)
    except BaseException as error:  # whatever it is, it is a finding
        signal.alarm(0)
        if isinstance(error, KeyboardInterrupt):
            raise
        name = f"{target.__name__}-{hashlib.sha256(content).hexdigest()[:12]}"
        CORPUS.mkdir(exist_ok=True)
        (CORPUS / name).write_bytes(content)
        return f"{name}: {''.join(traceback.format_exception(error)[-3:])}"
    finally:
        signal.alarm(0)
    return None


def kept(target):
    """Return the inputs of a target that once found something."""
    return [path.read_bytes() for path in sorted(CORPUS.glob(f"{target.__name__}-*"))]


def limit_memory():
    """Let this process have one GiB more than it has."""
    with contextlib.suppress(OSError):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + GIBIBYTE, resource.RLIM_INFINITY))


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="targets whose name has this in it")
    options = parser.parse_args()
    chosen = {target: share for target, share in SHARES.items() if options.only in target.__name__}
    warnings.simplefilter("error")
    rows, found = [], 0
    for target, share in chosen.items():
        seeds, rng = targets.seeds()[target], random.Random(f"{options.seed} {target.__name__}")
        for seed in seeds:
            targets.call(target, seed)
        limit_memory()
        inputs, findings, began = max(1, share * options.inputs // 1_000_000), 0, time.perf_counter()
        old = kept(target)
        for i in range(len(old) + inputs):
            fault = try_input(target, old[i] if i < len(old) else mutated(rng, [*seeds, *old]))
            if fault:
                findings += 1
                print(fault, file=sys.stderr)
            if findings >= 20:
                break
        found += findings
        rows.append([target.__name__, i + 1, findings, f"{time.perf_counter() - began:.0f}"])
        print(*rows[-1], sep="  ", file=sys.stderr)
    print(table(["target", "inputs", "findings", "seconds"], rows))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
