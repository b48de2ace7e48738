"""How the time of a step grows with the batch, the channels, the image size and the number of threads."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from benchmarks.contenders import UNCOMPILED, of_work
from benchmarks.environment import threads_of_all
from benchmarks.results import Record, Results
from benchmarks.suite import Settings, tell
from benchmarks.timing import race
from benchmarks.works import Work, four_convolutions, lenet5
from npnet import parallel


def measure(settings: Settings) -> Results:
    """Time a training step along each axis, with all other sizes fixed."""
    results = settings.results("scaling")
    for axis, size, work, threads in _points(settings):
        tell(f"scaling: {axis} {size}, {work}")
        with (
            threads_of_all(threads),
            of_work(work, threads, training=True, engines=UNCOMPILED) as contenders,
        ):
            samples = race(contenders, rounds=settings.rounds, turn=settings.turn)
        about = {"axis": axis, "size": size, "work": str(work), "threads": threads}
        results.records.append(Record(about, samples))
    return results


def _points(settings: Settings) -> list[tuple[str, int, Work, int]]:
    """Return axis, size, workload and number of threads of each measurement."""
    lenet = Work("LeNet-5", lenet5(1, 28), (1, 28, 28), 64, 10)
    convolutions = Work("four 3×3 convolutions", four_convolutions, (3, 16, 16), 32, 10)
    points: list[tuple[str, int, Work, int]] = [
        ("batch", n, replace(lenet, batch=n), settings.threads) for n in (32, 64, 128, 256, 512)
    ]
    for side in (12, 16, 24, 32, 48):
        work = replace(convolutions, sample=(3, side, side))
        points.append(("pixels", side * side, work, settings.threads))
    for channels in (8, 16, 32, 64):
        build = partial(four_convolutions, channels=(channels, channels))
        points.append(("channels", channels, replace(convolutions, build=build), settings.threads))
    several = [2**k for k in range(parallel.cores().bit_length()) if 2**k <= parallel.cores()]
    points += [("threads", n, replace(lenet, batch=256), n) for n in several]
    if settings.quick:
        return [point for point in points if point[1] <= 64 and point[0] != "pixels"][:4]
    return points
