import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet.data import ArrayDataset, count_minibatches, minibatches
from npnet.errors import InputError


def numbered(n):
    return ArrayDataset(np.arange(n * 2.0).reshape(n, 2), np.arange(n))


def targets(batches):
    return [target.tolist() for _, target in batches]


class Indexed:
    """A data set of one's own: only a length and items."""

    def __init__(self, x, y):
        self.x, self.y, self.asked = x, y, []

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        self.asked.append(index)
        return self.x[index], self.y[index]


@given(
    n=st.integers(1, 30),
    batch_size=st.integers(1, 35),
    seed=st.none() | st.integers(0, 9),
    drop_last=st.booleans(),
)
def test_an_epoch_holds_every_sample_once(n, batch_size, seed, drop_last):
    data = numbered(n)
    if drop_last and n < batch_size:
        return
    generator = None if seed is None else np.random.default_rng(seed)
    batches = list(minibatches(data, batch_size, generator, drop_last))
    assert len(batches) == count_minibatches(data, batch_size, drop_last)
    sizes = [len(x) for x, _ in batches]
    assert sizes[:-1] == [batch_size] * (len(batches) - 1)
    seen = np.concatenate([target for _, target in batches])
    assert len(seen) == n - n % batch_size if drop_last else len(seen) == n
    assert len(set(seen.tolist())) == len(seen)
    for x, target in batches:
        np.testing.assert_array_equal(x, data.x[target])
    if seed is None:
        np.testing.assert_array_equal(seen, np.arange(len(seen)))


def test_the_same_seed_gives_the_same_order_and_epochs_differ():
    data = numbered(20)
    first, second = np.random.default_rng(3), np.random.default_rng(3)
    epochs = [targets(minibatches(data, 6, first)) for _ in range(2)]
    assert epochs == [targets(minibatches(data, 6, second)) for _ in range(2)]
    assert epochs[0] != epochs[1]


def test_an_interrupted_epoch_goes_on_where_it_stood():
    data, generator = numbered(20), np.random.default_rng(3)
    state = copy.deepcopy(generator.bit_generator.state)
    whole = targets(minibatches(data, 6, generator))
    for done in range(5):
        resumed = np.random.default_rng()
        resumed.bit_generator.state = state
        assert targets(minibatches(data, 6, resumed, start=done)) == whole[done:]
        assert resumed.bit_generator.state == generator.bit_generator.state


def test_the_permutation_is_drawn_at_the_call():
    generator = np.random.default_rng(0)
    batches = minibatches(numbered(8), 3, generator)
    state = copy.deepcopy(generator.bit_generator.state)
    list(batches)
    assert generator.bit_generator.state == state


def test_any_indexable_gives_what_arrays_give_and_loads_only_what_is_asked_for():
    data = numbered(10)
    own = Indexed(data.x, data.y)
    for seed in (None, 1):
        generators = [None if seed is None else np.random.default_rng(seed) for _ in range(2)]
        pairs = zip(minibatches(data, 4, generators[0]), minibatches(own, 4, generators[1]), strict=True)
        for (x, target), (own_x, own_target) in pairs:
            np.testing.assert_array_equal(x, own_x)
            np.testing.assert_array_equal(target, own_target)
            assert (x.dtype, target.dtype) == (own_x.dtype, own_target.dtype)
    own.asked.clear()
    next(minibatches(own, 4, start=1))
    assert own.asked == [4, 5, 6, 7]


def test_a_subclass_keeps_its_own_items():
    class Doubled(ArrayDataset):
        def __getitem__(self, index):
            return self.x[index] * 2, self.y[index]

    data = numbered(3)
    (x, _), *_ = minibatches(Doubled(data.x, data.y), 3)
    np.testing.assert_array_equal(x, data.x * 2)


def test_a_list_of_pairs_is_a_data_set():
    ((x, target),) = minibatches([(np.float32(1), 0), (np.float32(2), 1)], 2)
    assert (x.dtype, x.tolist(), target.dtype, target.tolist()) == (np.float32, [1, 2], np.int64, [0, 1])


def test_minibatches_are_copies():
    data = numbered(4)
    for x, target in minibatches(data, 2):
        x[...] = -1
        target[...] = -1
    assert data.x.min() == 0
    assert data.y.min() == 0


def test_tensors_are_taken_as_they_are():
    torch = pytest.importorskip("torch")
    tensors = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    data = torch.utils.data.TensorDataset(tensors, torch.tensor([5, 6, 7]))
    ((x, target),) = minibatches(data, 3)
    np.testing.assert_array_equal(x, tensors.numpy())
    assert (x.dtype, target.dtype, target.tolist()) == (np.float32, np.int64, [5, 6, 7])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "F"])
def test_images_become_what_torchvision_makes_of_them(mode):
    transforms = pytest.importorskip("torchvision.transforms")
    image_module = pytest.importorskip("PIL.Image")
    rgb = np.random.default_rng(0).integers(256, size=(16, 20, 3), dtype=np.uint8)
    rgb.reshape(-1)[:256] = np.arange(256)  # every brightness there is
    image = image_module.fromarray(rgb)
    image = image.convert("L").convert(mode) if mode == "LA" else image.convert(mode)
    ((x, _),) = minibatches([(image, 0)], 1)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[0], transforms.ToTensor()(image).numpy())


def test_an_image_of_palette_indices_is_refused():
    image_module = pytest.importorskip("PIL.Image")
    with pytest.raises(InputError, match=r'x of sample 0 must be an image of mode .* got mode "P"'):
        next(minibatches([(image_module.new("P", (2, 2)), 0)], 1))


def test_a_torchvision_data_set_is_a_data_set():
    datasets = pytest.importorskip("torchvision.datasets")
    transforms = pytest.importorskip("torchvision.transforms")
    plain = datasets.FakeData(5, (3, 8, 6), 4)
    converted = datasets.FakeData(5, (3, 8, 6), 4, transform=transforms.ToTensor())
    for (x, target), (same_x, same_target) in zip(
        minibatches(plain, 2), minibatches(converted, 2), strict=True
    ):
        assert x.shape[1:] == (3, 6, 8) or x.shape[1:] == (3, 8, 6)
        np.testing.assert_array_equal(x, same_x)
        np.testing.assert_array_equal(target, same_target)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ((np.ones(3), 0), r"x of sample 2 must be float64 of shape \(2,\), like that of sample 0, .* \(3,\)"),
        ((np.ones(2, np.float32), 0), "x of sample 2 must be float64 .* got float32"),
        ((np.ones(2), [0, 1]), r"target of sample 2 must be int64 of shape \(\)"),
        ((np.ones(2), 0.5), "target of sample 2 must be int64 .* got float64"),
        ((np.ones(2),), r"sample 2 must be a pair \(x, target\), got tuple of length 1"),
        (np.ones(2), r"sample 2 must be a pair \(x, target\), got ndarray"),
        ((None, 0), "x of sample 2 must be a number, an array of numbers or an image, got NoneType"),
        (("text", 0), "x of sample 2 must be a number, .* got str"),
        (([[1], [1, 2]], 0), "x of sample 2 cannot be made an array"),
    ],
)
def test_an_odd_sample_is_named(odd, message):
    with pytest.raises(InputError, match=message):
        list(minibatches([(np.ones(2), 0), (np.ones(2), 1), odd], 3))


def test_a_tensor_of_a_graph_is_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match="x of sample 0 cannot be made an array"):
        list(minibatches([(torch.ones(2, requires_grad=True), 0)], 1))


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("dataset", "arguments", "message"),
    [
        ([], {}, "dataset must hold at least one sample"),
        (
            iter([1]),
            {},
            "dataset must be .* __getitem__ .* got list_iterator; make a list of an iterator first",
        ),
        (
            numbered(4).x,
            {},
            "dataset must be .* got a float64 array .*; samples need their targets beside them",
        ),
        (numbered(4), {"batch_size": 0}, "batch_size must be a positive integer, got 0"),
        (numbered(4), {"batch_size": 2.0}, "batch_size must be a positive integer, got 2.0"),
        (numbered(4), {"batch_size": True}, "batch_size must be a positive integer, got True"),
        (numbered(4), {"batch_size": 5, "drop_last": True}, "batch_size must be at most 4"),
        (numbered(4), {"start": 3}, "start must be an integer from 0 to 2, got 3"),
        (numbered(4), {"start": -1}, "start must be an integer from 0 to 2, got -1"),
        (numbered(4), {"generator": 7}, "generator must be a numpy.random.Generator, .* got 7"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_call(dataset, arguments, message):
    with pytest.raises(InputError, match=message):
        minibatches(dataset, **{"batch_size": 2} | arguments)
