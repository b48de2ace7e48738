"""Statistics of samples, and whether they are reliable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

WIDEST = 0.1  # a ratio is not printed if its confidence interval extends further than this fraction of it
FEWEST = 5  # rounds; with fewer, an interval is meaningless
RESAMPLES = 2000


@dataclass(frozen=True)
class Summary:
    """The median and the lower and upper quartiles of samples."""

    median: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Ratio:
    """Our time over the fastest other time, with its 95 % confidence interval."""

    value: float
    low: float
    high: float
    against: str  # the fastest of the others
    rounds: int

    @property
    def is_reliable(self) -> bool:
        """Whether there are enough rounds and the interval is narrow enough to print the value."""
        reach = max(self.high - self.value, self.value - self.low)
        return self.rounds >= FEWEST and reach <= WIDEST * self.value


def summary(samples: Sequence[float]) -> Summary:
    """Return the median and the quartiles.

    Examples
    --------
    >>> summary([1.0, 2.0, 3.0, 4.0, 50.0])
    Summary(median=3.0, lower=2.0, upper=4.0)
    """
    lower, median, upper = np.quantile(samples, [0.25, 0.5, 0.75])
    return Summary(float(median), float(lower), float(upper))


def ratio(ours: Sequence[float], theirs: Mapping[str, Sequence[float]]) -> Ratio:
    """Return our median over the lowest median of the others.

    The samples of one round are paired, as other load on the machine slows all of them. So the bootstrap
    resamples whole rounds and computes the same ratio for each draw.

    Parameters
    ----------
    ours : sequence of float
    theirs : mapping from names to sequences of float
        Samples from the first round on; only rounds in which all took part are used.

    Returns
    -------
    ratio : Ratio

    Examples
    --------
    >>> ratio([2.0, 2.0, 2.0], {"a": [4.0, 4.0, 4.0], "b": [8.0, 8.0, 8.0]})
    Ratio(value=0.5, low=0.5, high=0.5, against='a', rounds=3)
    """
    names = list(theirs)
    samples = [ours, *(theirs[name] for name in names)]
    shared = min(map(len, samples))
    rounds = np.array([of_one[:shared] for of_one in samples])  # (engines, rounds)
    generator = np.random.default_rng(0)  # the same samples give the same interval
    drawn = generator.integers(rounds.shape[1], size=(RESAMPLES, rounds.shape[1]))
    low, high = np.quantile(_ratios(np.median(rounds[:, drawn], axis=2)), [0.025, 0.975])
    medians = np.median(rounds, axis=1)
    fastest = names[int(medians[1:].argmin())]
    return Ratio(float(_ratios(medians)), float(low), float(high), fastest, rounds.shape[1])


def _ratios(medians: ndarray) -> ndarray:
    """Divide the first row by the lowest of the others."""
    return np.asarray(medians[0] / medians[1:].min(axis=0))


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return p of the power law seconds ∝ sizeᵖ that fits best: the slope between the logarithms.

    Examples
    --------
    >>> round(exponent([1, 2, 4], [3, 6, 12]), 6)
    1.0
    """
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
