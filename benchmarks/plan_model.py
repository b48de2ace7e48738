"""How long a training step of several workers takes: what each computes, and what they send each other.

Workers share the rows of a minibatch. Each computes the gradients for its own rows, and all add theirs up in
a ring: in 2(N − 1) steps, each worker passes on a part of 1/N of the bytes to its neighbour. With a latency a
and a bandwidth w of the slowest link this takes

    2(N − 1) (a + bytes / (N w)).

Outputs travel as backward begins, and gradients in buckets, each as soon as backward has filled it. What has
not arrived when backward ends is waited for. Processes that fill all cores of a machine cannot compute while
they send: there, everything sent is waited for. All wait for the slowest worker: N times are drawn from those
measured, and the median of their maximum is taken.

References
----------
Patarasuk, Yuan (2009), Bandwidth optimal all-reduce algorithms for clusters of workstations.
Li et al. (2020), PyTorch Distributed: experiences on accelerating data parallel training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from npnet.errors import InputError

FIRST_BUCKET, BUCKET = 2**20, 25 * 2**20  # bytes; what DistributedDataParallel takes unless told otherwise
BACKWARD = 2 / 3  # of a step: forward is one product for each weight, backward are two
WORTH = 0.5  # of a worker: below this, one more no longer pays


@dataclass(frozen=True)
class Link:
    """What connects a worker with the next one.

    Parameters
    ----------
    name : str
    latency : float
        Seconds.
    bandwidth : float
        Bytes a second, in each direction.
    """

    name: str
    latency: float
    bandwidth: float

    def ring(self, size: float, workers: int) -> float:
        """Return the seconds in which workers add up so many bytes.

        Examples
        --------
        >>> Link("a gigabyte a second", 0.0, 1e9).ring(1e9, 2)
        1.0
        """
        return 2 * (workers - 1) * (self.latency + size / (workers * self.bandwidth))


def link_from(text: str) -> Link:
    """Return the link that an option describes.

    Raises
    ------
    InputError
        If it does not read so.

    Examples
    --------
    >>> link_from("10 Gbit/s Ethernet=10,50")
    Link(name='10 Gbit/s Ethernet', latency=5e-05, bandwidth=1250000000.0)
    """
    name, _, numbers = text.rpartition("=")
    try:
        gigabits, microseconds = (float(number) for number in numbers.split(","))
    except ValueError:
        gigabits = microseconds = -1.0
    if not name or not 0 < gigabits < float("inf") or not 0 <= microseconds < float("inf"):
        raise InputError(
            f"--link: a link must read NAME=GBIT,MICROSECONDS, such as Ethernet=10,50, got {text!r:.60}"
        )
    return Link(name, microseconds / 1e6, gigabits * 1e9 / 8)


def link_of(name: str, seconds: Mapping[int, float]) -> Link:
    """Return the link over which two workers took so long to add up so many bytes.

    Parameters
    ----------
    name : str
    seconds : mapping from bytes to seconds

    Examples
    --------
    >>> found = link_of("here", {1_000: 2 * (1e-4 + 1e-6), 1_000_000: 2 * (1e-4 + 1e-3)})
    >>> round(found.latency, 7), round(found.bandwidth)
    (0.0001, 500000000)
    """
    few, many = min(seconds), max(seconds)
    a_byte = max(seconds[many] - seconds[few], 1e-12) / (many - few)
    return Link(name, max(seconds[few] - few * a_byte, 0.0) / 2, 1 / a_byte)


@dataclass(frozen=True)
class Step:
    """A training step as one worker takes it.

    Parameters
    ----------
    seconds : mapping from samples to float
        Median times, for minibatches of different sizes.
    gradient, outputs : int
        Bytes of all gradients, and of the outputs for one sample.
    spread : sequence of float
        Times of single steps ÷ their median, from which those of several workers are drawn.
    """

    seconds: Mapping[int, float]
    gradient: int
    outputs: int = 0
    spread: Sequence[float] = (1.0,)

    def alone(self, samples: float) -> float:
        """Return the seconds of a step; in between what was measured, on a straight line.

        Examples
        --------
        >>> step = Step({10: 1.0, 20: 1.5, 30: 2.5}, 0)
        >>> [step.alone(n) for n in (1, 10, 15, 25, 40)]
        [1.0, 1.0, 1.25, 2.0, 3.5]
        """
        sizes = sorted(self.seconds)
        times = [self.seconds[n] for n in sizes]
        if samples <= sizes[-1] or len(sizes) == 1:
            return float(np.interp(samples, sizes, times)) * max(1.0, samples / sizes[-1])
        slope = (times[-1] - times[-2]) / (sizes[-1] - sizes[-2])
        return times[-1] + slope * (samples - sizes[-1])

    def together(self, batch: int, workers: int, link: Link, *, cores: int | None = None) -> float:
        """Return the seconds of a step of several workers.

        Parameters
        ----------
        batch : int
            Samples of all workers.
        workers : int
        link : Link
            The slowest one.
        cores : int, optional
            That all workers share, if they do. Where they are more than the cores, they take turns.
        """
        turns = max(1.0, workers / cores) if cores else 1.0
        computing = self.alone(batch / workers) * turns * slowest(self.spread, workers)
        if cores and workers >= cores:
            return computing + turns * self.waiting(0.0, batch, workers, link)
        return computing + self.waiting(BACKWARD * computing, batch, workers, link)

    def waiting(self, backward: float, batch: int, workers: int, link: Link) -> float:
        """Return the seconds after backward until the last bucket has arrived.

        Examples
        --------
        >>> step, link = Step({1: 1.0}, 2**20), Link("slow", 0.0, 2**20)
        >>> step.waiting(10.0, 1, 2, link)  # a single bucket, which is full when backward ends
        1.0
        """
        if workers == 1:
            return 0.0
        filled, arrived = 0, link.ring(batch * self.outputs, workers)
        while filled < self.gradient:
            bucket = min(BUCKET if filled else FIRST_BUCKET, self.gradient - filled)
            filled += bucket
            arrived = max(arrived, backward * filled / self.gradient) + link.ring(bucket, workers)
        return arrived - backward


def slowest(spread: Sequence[float], workers: int) -> float:
    """Return the median of the largest of so many values, each drawn from these.

    All lie below x with the Nth power of the chance with which one does.

    Examples
    --------
    >>> slowest([1.0, 2.0, 3.0], 1), slowest([0.0, 1.0], 2)
    (2.0, 0.7071067811865476)
    """
    return float(np.quantile(np.asarray(spread), 0.5 ** (1 / workers)))


def pays_up_to(step: Step, batch: int, link: Link, *, most: int = 1024) -> int:
    """Return how many workers pay: doubling their number again adds less than half of what it costs.

    Parameters
    ----------
    step : Step
    batch : int
        Samples of all workers.
    link : Link
    most : int
        Where to stop looking.

    Examples
    --------
    >>> step = Step({1: 1.0, 100: 100.0}, 2**20)
    >>> pays_up_to(step, 64, Link("fast", 0.0, 1e12)), pays_up_to(step, 64, Link("slow", 1.0, 1e12))
    (64, 4)
    """
    workers = 1
    while 2 * workers <= min(most, batch):
        faster = step.together(batch, workers, link) / step.together(batch, 2 * workers, link)
        if faster - 1 < WORTH:
            break
        workers *= 2
    return workers
