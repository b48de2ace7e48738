"""Inject many faults and print what was lost: ``python -m tests.faults``, or ``make faults``."""

import argparse
import importlib.util
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from npnet.table import table
from tests.faults import command, harness

DISKS = [f"size={kib}k" for kib in range(4, 180, 4)]
INODES = [f"size=8m,nr_inodes={n}" for n in range(2, 9)]


def random_kills(number):
    yield from (partial(harness.kill_at_random, seed) for seed in range(number))


def repeated_kills(number):
    yield from (partial(harness.kill_at_random, seed, kills=3) for seed in range(number))


def events(when, first=None):
    """Yield a kill at each file event there is."""
    yield from until_the_end(partial(harness.kill_at_event, when=when, first=first))


def until_the_end(kill_at):
    """Yield kills at event 1, 2, … until the program has no more of them."""
    reached = [True]

    def kill(number):
        reached[0] = kill_at(number)

    for number in count(1):
        if not reached[0]:
            return
        yield partial(kill, number)


def damages(number):
    rng = random.Random(0)
    yield from (partial(harness.damage_newest, partial(harness.cut, at)) for at in (0, 1, 7, 8, 9, 500, 5000))
    bits = [rng.randrange(8 * 8000) for _ in range(number)]
    yield from (partial(harness.damage_newest, partial(harness.flip, bit)) for bit in bits)


def signals(number, *, twice):
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield from (partial(harness.end_by, kind, seed, twice=twice) for seed in range(number))


def disks():
    if harness.can_mount():
        yield from (partial(harness.small_disk, options) for options in DISKS + INODES)
        yield harness.read_only_disk
    yield from (partial(harness.refuse_files_above, most) for most in range(2_000, 24_000, 2_000))
    yield harness.no_permission


def commands(number):
    """Yield random kills of ``npnet train`` on both recipes, every fourth time three kills in one run."""
    for seed in range(number):
        recipe = list(command.RECIPES)[seed % 2]
        yield partial(command.kill_at_random, recipe, seed, kills=1 if seed % 4 else 3)


def events_of_commands():
    """Yield a kill of ``npnet train`` before each file event there is."""
    for recipe in command.RECIPES:
        yield from until_the_end(partial(command.kill_at_event, recipe))


def others():
    yield harness.clock_goes_backwards
    yield from (partial(harness.two_runs_at_once, seed) for seed in range(5))


def ranks():
    if importlib.util.find_spec("torch"):
        yield importlib.import_module("tests.faults.ranks").rank_dies


def restarts():
    if importlib.util.find_spec("torch"):
        dies = importlib.import_module("tests.faults.ranks").rank_dies_and_is_restarted
        yield from (partial(dies, step, victim) for step, victim in ((3, 1), (8, 1), (8, 0), (14, 1)))


FAULTS = {
    "kill -9 at a random moment": random_kills,
    "three kills in one run": lambda n: repeated_kills(n // 4),
    "kill -9 before each file event": lambda n: events("before"),
    "kill -9 after each file event": lambda n: events("after"),
    "each flush torn": lambda n: events("torn"),
    "kill -9 at each file event of a resume": lambda n: events("before", first=20),
    "SIGINT, SIGTERM, SIGHUP": lambda n: signals(n // 20, twice=False),
    "the same, twice at once": lambda n: signals(n // 20, twice=True),
    "full or read-only disk, no permission": lambda n: disks(),
    "newest checkpoint cut or a bit flipped": lambda n: damages(n // 4),
    "npnet train: kill -9 at a random moment": commands,
    "npnet train: kill -9 before each file event": lambda n: events_of_commands(),
    "clock backwards, two runs at once": lambda n: others(),
    "a rank that dies under torchrun": lambda n: ranks(),
    "a rank that dies, restarted by torchrun": lambda n: restarts(),
}


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="random kills; other faults in proportion")
    parser.add_argument("--only", default="", help="only faults whose name has this in it")
    options = parser.parse_args()
    rows, failed = [], 0
    for name, faults in FAULTS.items():
        if options.only not in name:
            continue
        began, tried, lost, most = time.perf_counter(), 0, 0, 0
        for fault in faults(options.kills):
            tried += 1
            try:
                repeated = fault()
                most = max(most, repeated) if type(repeated) is int else most
            except AssertionError as error:
                lost += 1
                print(f"{name}, number {tried}: {error}", file=sys.stderr)
        failed += lost
        rows.append([name, tried, lost, f"{time.perf_counter() - began:.0f}"])
        print(*rows[-1], sep="  ", file=sys.stderr)
    if options.only in "ckpt-chaos" and shutil.which("ckpt-chaos"):
        status, tried = ckpt_chaos()
        failed += status != 0
        rows.append(["ckpt-chaos", tried, int(status != 0), ""])
    print(table(["fault", "tried", "lost", "seconds"], rows))
    return 1 if failed else 0


def ckpt_chaos():
    """Let the public tool kill the program at every file event of its own choice."""
    with TemporaryDirectory() as folder:
        command = [
            "ckpt-chaos", "run", "--result-file", "{out}/result.txt", "--work", folder,
            "--checkpoint-glob", "{out}/run/step-*", "--step-regex", r"step-0*(\d+)\.safetensors",
            "--fail-on", "HARD_FAIL,SILENT_DIVERGENCE,LOST_WORK,CONTROL_FAIL", "--modes", "before,torn,term",
            "--", sys.executable, "-m", "tests.faults.program", "{out}",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout[-3000:], done.stderr[-2000:], file=sys.stderr)
        return done.returncode, len(list(Path(folder).rglob("result.json")))


if __name__ == "__main__":
    sys.exit(main())
