import numpy as np
import pytest

from npnet.data import ArrayDataset, Dataset, Splits
from npnet.errors import DTypeError, InputError


def numbered(n, shape=(2,)):
    return ArrayDataset(np.arange(n * 2.0).reshape(n, *shape), np.arange(n) % 3)


def test_a_data_set_gives_pairs_and_can_be_iterated():
    data = numbered(4)
    assert isinstance(data, Dataset)
    assert [(x.tolist(), y) for x, y in data] == [([0, 1], 0), ([2, 3], 1), ([4, 5], 2), ([6, 7], 0)]


def test_a_subset_is_a_copy_in_the_order_asked_for():
    data = numbered(4)
    part = data.subset([3, 0])
    part.x[...] = -1
    assert part.y.tolist() == [0, 0]
    assert data.x.min() == 0


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.ones((3, 2)), np.ones(2), InputError, "x and y must be of equal length, got 3 and 2"),
        (np.ones((0, 2)), np.ones(0), InputError, r"x must hold at least one sample, got shape \(0, 2\)"),
        (np.ones(()), np.ones(1), InputError, r"x must hold at least one sample, got shape \(\)"),
        ([1.0], np.ones(1), DTypeError, "x must be a NumPy array, got list"),
    ],
)
def test_arrays_that_make_no_data_set_are_refused(x, y, error, message):
    with pytest.raises(error, match=message):
        ArrayDataset(x, y)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([], "non-empty sequence of integers"),
        ([0, 4], r"must be 0\.\.3, got 4"),
        ([-1], r"must be 0\.\.3, got -1"),
        ([0.0], "sequence of integers, got float64"),
        ([True, False, True, False], "sequence of integers, got bool"),
        (2, r"of shape \(\)"),
    ],
)
def test_places_that_are_none_are_refused(indices, message):
    with pytest.raises(InputError, match=message):
        numbered(4).subset(indices)


def test_splits_name_their_parts():
    train, test = numbered(6), numbered(3)
    splits = Splits(train, None, test, classes=("a", "b", "c"))
    assert list(splits.parts()) == ["train", "test"]
    assert splits.parts()["test"] is test


def test_kept_classes_are_renumbered_in_the_order_of_their_names():
    splits = Splits(numbered(6), numbered(3), None, classes=("a", "b", "c"), name="letters").keep("c", "a")
    assert splits.classes == ("c", "a")
    assert splits.name == "letters"
    assert splits.train.y.tolist() == [1, 0, 1, 0]
    assert splits.train.x[:, 0].tolist() == [0, 4, 6, 10]
    assert splits.validation.y.tolist() == [1, 0]
    assert splits.test is None


@pytest.mark.parametrize("names", [(), ("d",), ("a", "a")])
def test_classes_there_are_not_cannot_be_kept(names):
    with pytest.raises(InputError, match="classes must be different ones of a, b, c"):
        Splits(numbered(6), classes=("a", "b", "c")).keep(*names)


def test_a_part_is_never_left_empty():
    only_a = ArrayDataset(np.ones((1, 2)), np.array([0]))
    with pytest.raises(InputError, match="test must hold samples of b, got none"):
        Splits(numbered(6), None, only_a, classes=("a", "b", "c")).keep("b")


def test_splits_are_standardised_once_by_the_training_part():
    splits = Splits(numbered(6), None, numbered(3)).standardized()
    np.testing.assert_allclose(splits.train.x.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_array_equal(splits.test.x, splits.train.x[:3])
    np.testing.assert_array_equal(splits.standardization.mean, [5, 6])
    with pytest.raises(InputError, match="must not be standardised twice"):
        splits.standardized()


def test_only_arrays_can_be_standardised():
    pairs = [(np.zeros(2), 0), (np.ones(2), 1)]
    with pytest.raises(InputError, match="train must be an ArrayDataset, got list"):
        Splits(pairs).standardized()


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (numbered(4, (1, 2)), r"test's samples must have train's shape, \(2,\), got \(1, 2\)"),
        (ArrayDataset(np.ones((1, 2), np.float32), np.array([0])), "train's dtype, float64, got float32"),
        (ArrayDataset(np.ones((2, 2)), np.array([0, 3])), r"labels must be 0\.\.2, got 3 at sample 1"),
        (ArrayDataset(np.ones((2, 2)), np.array([-1, 0])), r"labels must be 0\.\.2, got -1 at sample 0"),
        (
            ArrayDataset(np.ones((2, 2)), np.array([0.0, 1.0])),
            "one integer class label per sample, got float64",
        ),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(test, message):
    with pytest.raises(InputError, match=message):
        Splits(numbered(4), None, test, classes=("a", "b", "c"))
