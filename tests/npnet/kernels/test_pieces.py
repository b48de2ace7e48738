"""Slices cover a range once, in order; the executor in force runs them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet.kernels import blocks, pieces


@given(st.integers(0, 50), st.integers(1, 50))
def test_slices_are_all_of_a_range_in_order(size, number):
    for slices in (pieces.equal_slices(size, number), pieces.slices_of(size, number)):
        covered = [i for part in slices for i in range(part.start, part.stop)]
        assert covered == list(range(size))
    lengths = [part.stop - part.start for part in pieces.equal_slices(size, number)]
    assert len(lengths) == number
    assert max(lengths) - min(lengths) <= 1
    assert all(part.stop - part.start <= number for part in pieces.slices_of(size, number))


@given(st.integers(1, 200), st.integers(0, 200))
def test_the_largest_divisor_up_to_a_limit(number, limit):
    expected = max(k for k in range(1, max(1, min(number, limit)) + 1) if number % k == 0)
    assert blocks.divisor(number, limit) == expected


def test_one_piece_does_not_bother_the_executor():
    def never(work, slices):
        raise AssertionError

    done = []
    with pieces.using_executor(never):
        pieces.run_pieces(done.append, [slice(0, 3)])
        with pytest.raises(AssertionError):
            pieces.run_pieces(done.append, [slice(0, 1), slice(1, 3)])
    pieces.run_pieces(done.append, [slice(0, 1), slice(1, 3)])
    assert done == [slice(0, 3), slice(0, 1), slice(1, 3)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_fit_into_the_cache_where_one_item_does(dtype, change_thresholds):
    change_thresholds(cache_bytes=100)
    each = np.dtype(dtype).itemsize * 3
    slices = blocks.fits_cache(40, each)
    assert all((part.stop - part.start) * each <= 100 for part in slices)
    assert blocks.fits_cache(3, 1000) == [slice(i, i + 1) for i in range(3)]
