import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.samples import FEWEST, exponent, ratio, summary


def rounds(median, spread, n=40, seed=0):
    return list(median * np.random.default_rng(seed).lognormal(0, spread, n))


def test_the_ratio_is_to_the_fastest():
    found = ratio(rounds(2, 0.01), {"slow": rounds(8, 0.01, seed=1), "fast": rounds(4, 0.01, seed=2)})
    assert found.against == "fast"
    assert found.value == pytest.approx(0.5, rel=0.02)
    assert found.low < found.value < found.high
    assert found.is_reliable


def test_only_rounds_that_all_took_part_in_count():
    found = ratio([1.0] * 6 + [9.0] * 30, {"slow": [10.0] * 6, "slower": [20.0] * 7})
    assert (found.value, found.rounds) == (pytest.approx(0.1), 6)


def test_a_noisy_ratio_is_not_reliable():
    found = ratio(rounds(2, 1.0), {"a": rounds(4, 1.0, seed=1)})
    assert not found.is_reliable


def test_few_rounds_carry_no_ratio():
    assert not ratio([1.0] * (FEWEST - 1), {"a": [2.0] * (FEWEST - 1)}).is_reliable
    assert ratio([1.0] * FEWEST, {"a": [2.0] * FEWEST}).is_reliable


def test_what_slows_a_whole_round_does_not_widen_the_interval():
    slowed = np.random.default_rng(0).lognormal(0, 1, 40)
    together = ratio(list(slowed), {"a": list(2 * slowed)})
    apart = ratio(list(slowed), {"a": list(2 * slowed[::-1])})
    assert together.high - together.low < 1e-12 < apart.high - apart.low


def test_the_interval_has_the_true_ratio_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        found = ratio(list(rng.lognormal(0, 0.1, 30)), {"a": list(2 * rng.lognormal(0, 0.1, 30))})
        hits += found.low <= 0.5 <= found.high
    assert hits >= 88


@given(st.floats(-2, 3), st.floats(0.1, 10))
def test_the_exponent_of_a_power_law(power, factor):
    sizes = [1, 2, 5, 30]
    assert exponent(sizes, [factor * size**power for size in sizes]) == pytest.approx(power, abs=1e-9)


def test_a_summary_is_the_median_and_the_middle_half():
    found = summary([5, 1, 2, 100, 3])
    assert (found.lower, found.median, found.upper) == (2, 3, 5)
