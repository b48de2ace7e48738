"""Products in pieces: the same sums, wherever and in whatever order the pieces are computed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet.kernels import thresholds
from npnet.kernels.matmul import matmul
from npnet.kernels.pieces import using_executor


@pytest.fixture
def small_pieces():
    with thresholds.using(matmul_piece=25):
        yield


@pytest.mark.usefixtures("small_pieces")
def test_pieces_make_up_the_product():
    @given(st.integers(0, 30), st.integers(0, 12), st.integers(0, 30), st.integers(0, 99))
    def check(m, k, n, seed):
        rng = np.random.default_rng(seed)
        a, b = rng.standard_normal((m, k)), rng.standard_normal((n, k)).T
        np.testing.assert_allclose(matmul(a, b), a @ b, rtol=0, atol=1e-13)

    check()


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize(("m", "n"), [(40, 8), (8, 40)])
def test_the_pieces_of_a_product_do_not_depend_on_the_executor(m, n):
    seen = []

    def backwards(work, pieces):
        seen.extend(pieces)
        for piece in reversed(pieces):
            work(piece)

    a, b = np.ones((m, 5), np.float32), np.ones((5, n), np.float32)
    alone = matmul(a, b)
    with using_executor(backwards):
        np.testing.assert_array_equal(matmul(a, b), alone)
    assert seen == [slice(i, i + 5) for i in range(0, 40, 5)]
    assert alone.dtype == np.float32
    seen.clear()
    matmul(a, b)
    assert not seen


def test_small_products_stay_whole():
    def never(work, pieces):
        raise AssertionError

    with using_executor(never):
        assert matmul(np.ones((64, 784)), np.ones((784, 100))).shape == (64, 100)
