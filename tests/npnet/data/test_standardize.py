import numpy as np
import pytest

from npnet.data import ArrayDataset, Standardization, standardize
from npnet.errors import InputError


def random_images(n, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    scale = np.array([1.0, 10.0, 0.1]).reshape(3, 1, 1)
    return ArrayDataset((rng.normal(size=(n, 3, 4, 5)) * scale + scale).astype(dtype), np.zeros(n, int))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_every_channel_of_the_training_part_gets_mean_0_and_deviation_1(dtype, tolerance):
    (train,), _ = standardize(random_images(3000, dtype))
    assert train.x.dtype == dtype
    np.testing.assert_allclose(train.x.mean(axis=(0, 2, 3), dtype=np.float64), 0, atol=tolerance)
    np.testing.assert_allclose(train.x.std(axis=(0, 2, 3), dtype=np.float64), 1, atol=tolerance)


def test_the_other_parts_have_no_say():
    train, test = random_images(50), random_images(20, seed=1)
    before = train.x.copy()
    (_, mapped), standardization = standardize(train, test)
    np.testing.assert_allclose(standardization.mean, train.x.mean(axis=(0, 2, 3), dtype=np.float64))
    np.testing.assert_allclose(standardization.deviation, train.x.std(axis=(0, 2, 3), dtype=np.float64))
    np.testing.assert_array_equal(mapped.x, standardization(test.x))
    np.testing.assert_array_equal(train.x, before)


def test_a_constant_feature_becomes_zero():
    x = np.full((1001, 2), 0.1, np.float32)  # the mean of many equal numbers is not exactly that number
    x[0, 1] = 5
    (train,), standardization = standardize(ArrayDataset(x, np.zeros(1001)))
    assert standardization.deviation[0] == 1
    np.testing.assert_allclose(train.x[:, 0], 0, atol=1e-7)


def test_whole_numbers_become_float32():
    (train,), _ = standardize(ArrayDataset(np.array([[0], [2]], np.uint8), np.zeros(2)))
    assert train.x.dtype == np.float32
    assert train.x.tolist() == [[-1], [1]]


def test_undo_gives_back_what_was_there():
    train = random_images(10, np.float64)
    (mapped,), standardization = standardize(train)
    np.testing.assert_allclose(standardization.undo(mapped.x), train.x, rtol=1e-12)


def test_it_is_what_torchvision_does():
    torch = pytest.importorskip("torch")
    transforms = pytest.importorskip("torchvision.transforms")
    data = random_images(5)
    _, standardization = standardize(data)
    normalize = transforms.Normalize(standardization.mean, standardization.deviation)
    theirs = normalize(torch.from_numpy(data.x)).numpy()
    np.testing.assert_allclose(standardization(data.x), theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("x", "message"),
    [(np.ones(3), r"\(n, c, ...\), got float64 of shape \(3,\)"), (np.ones((3, 2), bool), "got bool")],
)
def test_what_has_no_channels_is_refused(x, message):
    with pytest.raises(InputError, match=message):
        standardize(ArrayDataset(x, np.zeros(3)))


@pytest.mark.parametrize("shape", [(5, 1), (5, 4)])
def test_other_channels_are_never_broadcast(shape):
    standardization = Standardization(np.zeros(3), np.ones(3))
    with pytest.raises(InputError, match="the statistics have 3 channels"):
        standardization(np.ones(shape))


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e-200, 1e140])
def test_an_offset_does_not_matter(unit):
    noise = np.random.default_rng(0).normal(size=(2000, 2))
    noise = (noise - noise.mean(axis=0)) / noise.std(axis=0)
    (train,), _ = standardize(ArrayDataset((noise + 1e6) * unit, np.zeros(2000)))
    np.testing.assert_allclose(train.x, noise, atol=1e-6)


def test_milliseconds_since_1970_are_told_apart():
    noise = np.random.default_rng(0).integers(-1000, 1001, size=(2000, 1))
    expected = (noise - noise.mean()) / noise.std()
    data = ArrayDataset(1_700_000_000_000 + noise, np.zeros(2000))
    (train, test), standardization = standardize(data, data)
    assert train.x.dtype == np.float32
    np.testing.assert_allclose(train.x, expected, atol=1e-6)
    np.testing.assert_array_equal(test.x, train.x)
    np.testing.assert_allclose(standardization.undo(expected), data.x, rtol=1e-12)


def test_float32_far_from_zero_is_subtracted_before_it_is_rounded():
    x = (16_000_000 + np.random.default_rng(0).integers(0, 100, size=(5000, 1))).astype(np.float32)
    (train,), _ = standardize(ArrayDataset(x, np.zeros(5000)))
    exact = (x.astype(np.float64) - x.mean(dtype=np.float64)) / x.std(dtype=np.float64)
    np.testing.assert_allclose(train.x, exact, atol=3e-7)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", [0, 1])
def test_a_number_that_is_none_is_named(value, part):
    parts = [ArrayDataset(np.ones((300, 2), np.float32), np.zeros(300)) for _ in range(2)]
    parts[part].x[290, 1] = value
    name = ["train", r"others\[0\]"][part]
    message = f"x of {name} must hold finite numbers, got {value} at sample 290, feature 1"
    with pytest.raises(InputError, match=message):
        standardize(*parts)


def test_numbers_beyond_float64_are_refused():
    x = np.array([[1.7e308], [-1.7e308]])
    with pytest.raises(InputError, match="whose differences float64 can represent"):
        standardize(ArrayDataset(x, np.zeros(2)))


@pytest.mark.parametrize(
    ("dtype", "expected"), [(np.float16, np.float32), (">f8", np.float64), (">f4", np.float32)]
)
def test_the_result_is_what_npnet_computes_with(dtype, expected):
    (train,), _ = standardize(ArrayDataset(np.array([[1.0], [3.0]], dtype), np.zeros(2)))
    assert train.x.dtype == np.dtype(expected)
    assert train.x.tolist() == [[-1], [1]]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("mean", "deviation", "message"),
    [
        (np.zeros(2), np.zeros(2), "deviation must be positive"),
        (np.zeros(2), np.ones(3), "deviation must be one finite number for each channel"),
        (np.array([np.nan]), np.ones(1), "mean must be one finite number"),
        ([0.0], np.ones(1), "mean must be a NumPy array, got list"),
    ],
)
def test_statistics_that_are_none_are_refused(mean, deviation, message):
    with pytest.raises(InputError, match=message):
        Standardization(mean, deviation)
