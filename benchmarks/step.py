"""Whole training steps and inference of the recipes' models."""

from __future__ import annotations

from benchmarks import peers
from benchmarks.contenders import EVERYONE, UNCOMPILED, of_work
from benchmarks.environment import threads_of_all
from benchmarks.results import Record, Results
from benchmarks.suite import Settings, with_progress
from benchmarks.timing import race
from benchmarks.works import WORKS

COMPILED_TOO = ("LeNet-5", "four 3×3 convolutions")  # the models for which compiling may pay


def measure(settings: Settings) -> Results:
    """Time npnet, PyTorch and the installed peers on the same weights and minibatches."""
    results = settings.results("step")
    kinds = {"training step": True, "inference": False}
    works = settings.some(WORKS, 4)
    for work in with_progress("step", works):
        for kind, training in kinds.items():
            compiles = not settings.quick and work.name in COMPILED_TOO
            engines = (*(EVERYONE if compiles else UNCOMPILED), *peers.PEERS)
            with (
                threads_of_all(settings.threads),
                of_work(work, settings.threads, training=training, engines=engines) as contenders,
            ):
                samples = race(contenders, rounds=settings.rounds, turn=settings.turn)
            about, targets = {"work": str(work), "kind": kind}, peers.targets(work, training=training)
            results.records.append(Record(about, samples, at_most=work.at_most, peers_at_most=targets))
    results.notes.extend(peers.absences(works, settings.threads))
    return results
