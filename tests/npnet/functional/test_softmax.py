import numpy as np
import pytest

from npnet import functional as F
from npnet.errors import DTypeError, InputError

INF, NAN = np.inf, np.nan


def test_known_values():
    y, backward = F.softmax(np.log([[1.0, 3.0], [2.0, 2.0]]))
    np.testing.assert_allclose(y, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-15)
    np.testing.assert_allclose(
        backward(np.array([[16.0, 0.0], [4.0, 0.0]])), [[3.0, -3.0], [1.0, -1.0]], rtol=1e-14
    )


@pytest.mark.parametrize(
    ("shape", "dim"),
    [
        ((), 0),
        ((), -1),
        ((5,), 0),
        ((5,), -1),
        ((1,), 0),
        ((4, 3), 0),
        ((4, 3), 1),
        ((2, 3, 4), 1),
        ((2, 3, 4, 2), -3),
        ((0, 3), 1),
        ((0, 3), 0),
        ((3, 0), 1),
    ],
)
def test_torch(same_as_torch, shape, dim):
    same_as_torch("softmax", np.asarray(np.random.default_rng(1).standard_normal(shape)), dim=dim)


@pytest.mark.parametrize(
    "x",
    [
        [1e4, -1e4, 9999.0],
        [-INF, 1.0, 2.0],
        [-INF, -INF, 2.0],
        [-INF] * 3,
        [INF, 1.0, 2.0],
        [NAN, 1.0, 2.0],
        [1e308, -1e308, 0.0],
        [0.0, -745.0, -800.0],
    ],
)
def test_torch_with_extreme_logits(same_as_torch, x):
    same_as_torch("softmax", np.array([x, [0.0, 1.0, 2.0]]), dim=1)


def test_last_axis_is_the_default():
    x = np.random.default_rng(1).standard_normal((2, 3))
    np.testing.assert_array_equal(F.softmax(x)[0], F.softmax(x, 1)[0])


def test_float32_is_rounded_once():
    x = np.random.default_rng(1).standard_normal((50, 10)).astype(np.float32)
    y, _ = F.softmax(x)
    np.testing.assert_array_equal(y, F.softmax(x.astype(np.float64))[0].astype(np.float32), strict=True)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("shape", "dim", "message"),
    [
        ((2, 3), 2, r"dim must be from -2 to 1 for x \(2, 3\), got 2"),
        ((2, 3), -3, "dim must be from -2 to 1"),
        ((), 1, r"dim must be from -1 to 0 for x \(\), got 1"),
    ],
)
def test_an_axis_that_is_not_there_is_refused(shape, dim, message):
    with pytest.raises(InputError, match=message):
        F.softmax(np.ones(shape), dim)


@pytest.mark.usefixtures("bare")
def test_bad_input_is_refused():
    with pytest.raises(DTypeError, match="softmax: x must be float32 or float64, got float16"):
        F.softmax(np.ones(3, dtype=np.float16))
    _, backward = F.softmax(np.ones((2, 3)))
    with pytest.raises(InputError, match=r"grad_y must have shape \(2, 3\) .* got \(3,\)"):
        backward(np.ones(3))
