"""Tables of what several workers gain: the model beside what was measured, and what it says of more."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.plan_model import Link, Step, link_of, pays_up_to
from benchmarks.results import Record, Results
from benchmarks.samples import summary

# What records are about.
APART, TOGETHER, THREADS, ADDING = "apart", "together", "one process, all threads", "adding up"
TRAINING, CPU = "training step", "CPU"
WORKERS = (2, 4, 8, 16, 64)
HERE = "between processes here"

Table = tuple[list[str], list[list[str]]]


def tables(results: Results) -> list[Table]:
    """Return the link measured, the model beside what was measured, and the plans."""
    if not any(record.has(way=TOGETHER) for record in results.records):
        return []
    return [_link_table(_link(results)), _check(results), _plans(results)]


def step_of(results: Results, **about: Any) -> Step:
    """Return a training step as one worker takes it, from the records about this."""
    found = {record.about["samples"]: record for record in results.records if record.has(way=APART, **about)}
    largest = found[max(found)]
    times = np.array(_samples(largest))
    return Step(
        {n: _median(record) for n, record in found.items()},
        largest.about["gradient"],
        largest.about["outputs"],
        (times / np.median(times)).tolist(),
    )


def _samples(record: Record) -> list[float]:
    (samples,) = record.samples.values()
    return list(samples)


def _median(record: Record) -> float:
    return summary(_samples(record)).median


def _link(results: Results) -> Link:
    """Return the link between two processes, as it was measured when there were two."""
    found = [record for record in results.records if record.has(way=ADDING, processes=2)]
    return link_of(HERE, {record.about["bytes"]: _median(record) for record in found})


def _link_table(link: Link) -> Table:
    row = [link.name, f"{1e6 * link.latency:.3g} µs", f"{link.bandwidth / 1e9:.3g} GB/s"]
    return ["link, measured", "latency", "bandwidth"], [row]


# ---- the model beside what was measured ----------------------------------------------------------------


def _check(results: Results) -> Table:
    names = ["work", "batch", "processes", "measured", "model", "model ÷ measured"]
    names += [THREADS, "images/s ÷ those of one process"]
    return names, [_checked(results, record) for record in results.records if record.has(way=TOGETHER)]


def _checked(results: Results, record: Record) -> list[str]:
    about = {name: record.about[name] for name in ("work", "batch", "processes")}
    measured, expected = _median(record), model(results, **about)
    (one,) = (_median(other) for other in results.records if other.has(way=THREADS, **about))
    shown = [_ms(measured), _ms(expected), f"{expected / measured:.2f}", _ms(one), f"{one / measured:.2f}"]
    return [*map(str, about.values()), *shown]


def model(results: Results, work: str, batch: int, processes: int) -> float:
    """Return the seconds that a step of several processes on this CPU should take."""
    step = step_of(results, work=work, batch=batch, processes=processes, on=CPU)
    return step.together(batch, processes, _link(results), cores=results.environment["cores"])


# ---- plans ---------------------------------------------------------------------------------------------


def _plans(results: Results) -> Table:
    """Return by how many times a step is faster with more workers, each with cores or a GPU of its own."""
    given = [Link(**link) for link in results.method["links"]]
    names = ["work", "on", "batch", "gradients", "link", *(f"{n} workers" for n in WORKERS), "pays up to"]
    rows = []
    for about in _planned(results):
        step = step_of(results, **about)
        batch = about.get("batch", max(step.seconds))
        links = [_link(results), *given] if about["on"] == CPU else given
        rows += [
            [
                *(about["work"], about["on"], str(batch), f"{step.gradient / 1e6:.3g} MB", link.name),
                *(_faster(step, batch, n, link) for n in WORKERS),
                str(pays_up_to(step, batch, link)),
            ]
            for link in links
        ]
    return names, rows


def _planned(results: Results) -> list[dict[str, Any]]:
    """Return what steps are about, each once; those of the CPU as measured with two processes."""
    found: list[dict[str, Any]] = []
    for record in results.records:
        names = [name for name in ("work", "on", "batch", "processes") if name in record.about]
        about = {name: record.about[name] for name in names}
        if record.has(way=APART) and about.get("processes", 2) == 2 and about not in found:
            found.append(about)
    return found


def _faster(step: Step, batch: int, workers: int, link: Link) -> str:
    if workers > batch:
        return ""
    return f"{step.together(batch, 1, link) / step.together(batch, workers, link):.2g}×"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms"
