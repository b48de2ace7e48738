"""Values are kept, cleared and moved to the bit."""

import numpy as np
import pytest

from npnet.kernels.masks import choose_where, keep_where, split_where

VALUES = [1.5, -0.0, np.nan, -np.inf, np.inf, 5e-324, -3.25, np.nan]
MASK = np.array([True, False, True, True, False, True, False, False])


def bits(array):
    return array.view(f"i{array.itemsize}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_kept_is_the_same_to_the_bit_and_all_else_is_zero(dtype):
    values = np.array(VALUES, dtype)
    kept = keep_where(MASK, values)
    assert kept.dtype == dtype
    np.testing.assert_array_equal(bits(kept[MASK]), bits(values[MASK]))
    np.testing.assert_array_equal(bits(kept[~MASK]), 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_kept_is_moved(dtype):
    source = np.array(VALUES, dtype)
    out, rest = np.empty_like(source), np.empty_like(source)
    split_where(MASK, source, out=out, rest=rest)
    np.testing.assert_array_equal(bits(out), bits(keep_where(MASK, source)))
    np.testing.assert_array_equal(bits(rest), bits(keep_where(~MASK, source)))
    split_where(MASK, source, out=out, rest=source)
    np.testing.assert_array_equal(bits(source), bits(rest))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_of_two_numbers(dtype):
    for yes in VALUES:
        for no in VALUES:
            chosen = choose_where(MASK, dtype(yes), dtype(no))
            assert chosen.dtype == dtype
            np.testing.assert_array_equal(bits(chosen), bits(np.where(MASK, dtype(yes), dtype(no))))


def test_views_are_written_through():
    grid = np.zeros((8, 2), np.float32)
    keep_where(MASK, np.arange(8, dtype=np.float32), out=grid[:, 1])
    np.testing.assert_array_equal(grid, np.stack([np.zeros(8), MASK * np.arange(8)], axis=1))


def test_an_array_without_axes_stays_an_array():
    kept = keep_where(np.ones((), bool), np.array(2.0))
    assert (type(kept), kept.shape, float(kept)) == (np.ndarray, (), 2.0)
