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
    np.testing.assert_array_equal(standardization(data.x), normalize(torch.from_numpy(data.x)).numpy())


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
