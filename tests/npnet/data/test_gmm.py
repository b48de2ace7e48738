import numpy as np
import pytest

from npnet.data import sample_gauss_2d, sample_gmm_2d
from npnet.errors import InputError


def test_shapes_and_dtypes():
    x, y = sample_gmm_2d(6, 2, 10, np.random.default_rng(0))
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((60, 2), np.float32, (60,), np.int64)
    assert sample_gmm_2d(6, 2, 10, np.random.default_rng(0), dtype=np.float64)[0].dtype == np.float64


def test_the_seed_decides():
    first, again, other = (sample_gmm_2d(4, 3, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).any()


def test_every_class_is_there_and_samples_of_a_component_share_theirs():
    for seed in range(50):
        _, y = sample_gmm_2d(4, 3, 7, np.random.default_rng(seed))
        assert set(y.tolist()) == {0, 1, 2}
        assert (y.reshape(4, 7) == y.reshape(4, 7)[:, :1]).all()


def test_gaussians_follow_the_stated_distribution():
    x, _ = sample_gauss_2d(1000, 400, np.random.default_rng(0), dtype=np.float64)
    clouds = x.reshape(1000, 400, 2)
    means = clouds.mean(axis=1)
    assert abs(means).max() < 10.6
    np.testing.assert_allclose(means.mean(axis=0), 0, atol=0.6)
    np.testing.assert_allclose(means.std(axis=0), 20 / np.sqrt(12), rtol=0.05)
    covariances = np.stack([np.cov(cloud.T) for cloud in clouds])
    deviations = np.sqrt(np.linalg.eigvalsh(covariances))
    assert deviations.max() < 4.5
    # The mean of λ is (20/5)²·E[u²] = 16/3 along both axes, and turning leaves their sum alone.
    np.testing.assert_allclose(np.trace(covariances, axis1=1, axis2=2).mean(), 32 / 3, rtol=0.06)
    assert (abs(covariances[:, 0, 1]) > 0.5).mean() > 0.3  # most are turned


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((1, 2, 10), "ncomponents must be at least nclasses, 2, got 1"),
        ((0, 0, 10), "ncomponents must be a positive integer, got 0"),
        ((2, 2, 0), "nsamples must be a positive integer, got 0"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(numbers, message):
    with pytest.raises(InputError, match=message):
        sample_gmm_2d(*numbers, np.random.default_rng(0))
