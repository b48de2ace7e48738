"""How near whole steps come to what this CPU can do at its best.

The ceiling is measured in the same run: the rate of products of large float32 matrices, and the rate of
copies of large arrays, by NumPy and by PyTorch, of which the faster one counts. No step can take less time
than its products at that rate, nor less than moving what it must move.
"""

from __future__ import annotations

from benchmarks import ceilings
from benchmarks.contenders import EAGER, NPNET, of_work
from benchmarks.environment import threads_of_all
from benchmarks.results import Record, Results
from benchmarks.suite import Settings, tell, with_progress
from benchmarks.timing import race
from benchmarks.works import WORKS

KINDS = {"training step": True, "inference": False}


def measure(settings: Settings) -> Results:
    """Measure the ceiling, then npnet and PyTorch on every model."""
    results = settings.results("ceiling")
    with threads_of_all(settings.threads):
        tell("ceiling: products and copies")
        sizes = {"side": 256, "size": 2**20, "rounds": 2} if settings.quick else {}
        results.records.extend(ceilings.of_the_cpu(threads=settings.threads, **sizes))
        for work in with_progress("ceiling", settings.some(WORKS, 4)):
            for kind, training in KINDS.items():
                operations, size = work.least(training=training)
                about = {"work": str(work), "kind": kind, "operations": operations, "bytes": size}
                engines = (NPNET, EAGER)
                with of_work(work, settings.threads, training=training, engines=engines) as contenders:
                    samples = race(contenders, rounds=max(2, settings.rounds // 4), turn=settings.turn)
                results.records.append(Record(about, samples))
    return results
