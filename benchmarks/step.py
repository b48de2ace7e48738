"""Whole training steps, and inference, of every recipe's model."""

from __future__ import annotations

from benchmarks.contenders import EVERYONE, UNCOMPILED, of_work
from benchmarks.environment import threads_of_all
from benchmarks.results import Record, Results
from benchmarks.suite import Settings, told
from benchmarks.timing import race
from benchmarks.works import WORKS

COMPILED_TOO = ("LeNet-5", "four 3×3 convolutions")  # where compiling may be worth its minutes


def measure(settings: Settings) -> Results:
    """Time npnet and PyTorch on the same weights and minibatches."""
    results = settings.results("step")
    kinds = {"training step": True, "inference": False}
    for work in told("step", settings.some(WORKS, 4)):
        for kind, training in kinds.items():
            compiles = not settings.quick and work.name in COMPILED_TOO
            engines = EVERYONE if compiles else UNCOMPILED
            with (
                threads_of_all(settings.threads),
                of_work(work, settings.threads, training=training, engines=engines) as contenders,
            ):
                samples = race(contenders, rounds=settings.rounds, turn=settings.turn)
            results.records.append(Record({"work": str(work), "kind": kind}, samples, at_most=work.at_most))
    return results
