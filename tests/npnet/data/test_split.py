import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet.data import ArrayDataset, hold_out, split
from npnet.errors import InputError


def labelled(y):
    return ArrayDataset(np.arange(len(y)), np.asarray(y))


def rng(seed=0):
    return np.random.default_rng(seed)


@given(
    y=st.lists(st.integers(0, 4), min_size=10, max_size=200),
    fractions=st.sampled_from([(0.5, 0.5), (0.6, 0.2, 0.2), (0.1, 0.9), (0.25,) * 4]),
    stratify=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_every_sample_goes_to_exactly_one_part_of_the_right_size(y, fractions, stratify, seed):
    parts = split(labelled(y), fractions, rng(seed), stratify)
    np.testing.assert_array_equal(np.sort(np.concatenate([part.x for part in parts])), np.arange(len(y)))
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part) - fraction * len(y)) <= 1
        np.testing.assert_array_equal(part.y, np.asarray(y)[part.x])
        assert (np.diff(part.x) > 0).all()


@given(
    counts=st.lists(st.integers(10, 60), min_size=1, max_size=5),
    fractions=st.sampled_from([(0.5, 0.5), (0.6, 0.2, 0.2), (0.1, 0.9)]),
    seed=st.integers(0, 2**32),
)
def test_classes_are_spread_in_proportion(counts, fractions, seed):
    y = rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    for part, fraction in zip(split(labelled(y), fractions, rng(seed)), fractions, strict=True):
        for label, count in enumerate(counts):
            # At a cut every class is less than one sample off its share of the line up to there, and the
            # cut itself is off by what they are off together; a part has two cuts, and a rounded size.
            share = count / len(y)
            bound = 2 * ((1 - share) + share * (len(counts) - 1)) + 1
            assert abs((part.y == label).sum() - fraction * count) <= bound


def test_large_classes_are_spread_as_evenly_as_small_ones():
    y = np.repeat([0, 1, 2], [10_000, 20_000, 30])
    for part in split(labelled(y), (0.5, 0.3, 0.2), rng()):
        np.testing.assert_allclose(np.bincount(part.y), np.bincount(y) * len(part) / len(y), atol=3)


def test_the_state_of_the_generator_decides():
    data = labelled(np.arange(100) % 3)
    first, again, other = (split(data, (0.5, 0.5), rng(seed))[0].x for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_over_many_seeds_every_sample_is_held_out_equally_often():
    data = labelled([0] * 6 + [1] * 4)
    times = sum(np.bincount(split(data, (7, 3), rng(seed))[1].x, minlength=10) for seed in range(2000))
    np.testing.assert_allclose(times / 2000, 0.3, atol=0.05)


def test_sizes_can_be_numbers():
    assert [len(part) for part in split(labelled(np.arange(10) % 2), (7, 1, 2), rng())] == [7, 1, 2]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0.5, 0.6), "fractions that sum to 1 or integers that sum to 10"),
        ((7, 4), "fractions that sum to 1 or integers that sum to 10"),
        ((), "fractions that sum to 1"),
        ((10, 0), "every part must hold at least one of 10 samples"),
        ((0.99, 0.01), "every part must hold at least one of 10 samples"),
        ((1.5, -0.5), "every part must hold at least one"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, message):
    with pytest.raises(InputError, match=message):
        split(labelled(np.arange(10)), sizes, rng())


def test_without_class_labels_there_is_no_stratifying():
    data = labelled(np.linspace(0, 1, 10))
    with pytest.raises(InputError, match="stratify=True: y must be one integer class label per sample"):
        split(data, (0.5, 0.5), rng())
    assert [len(part) for part in split(data, (0.5, 0.5), rng(), stratify=False)] == [5, 5]


@pytest.mark.usefixtures("bare")
def test_a_seed_is_no_generator():
    with pytest.raises(InputError, match=r"generator must be a numpy.random.Generator, such as .*, got 0"):
        split(labelled(np.arange(10)), (0.5, 0.5), 0)


@pytest.mark.parametrize(("size", "number"), [(0.2, 20), (7, 7)])
def test_a_part_held_out(size, number):
    rest, held_out = hold_out(labelled(np.arange(100) % 2), size, rng())
    assert (len(rest), len(held_out)) == (100 - number, number)


def test_nothing_held_out():
    data = labelled([0, 1])
    assert hold_out(data, None, None) == (data, None)


@pytest.mark.parametrize("size", [0, 0.0, 1.0, 1.5, 10, -1, float("nan")])
def test_a_held_out_part_leaves_something_on_both_sides(size):
    with pytest.raises(InputError, match=r"size must be a fraction between 0 and 1 or .* below 10"):
        hold_out(labelled(np.arange(10)), size, rng())


def test_chance_needs_a_generator():
    with pytest.raises(InputError, match="generator must be given"):
        hold_out(labelled(np.arange(10)), 0.5, None)
