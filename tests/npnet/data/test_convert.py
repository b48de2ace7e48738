"""Whatever people hold their data in becomes a data set, or is refused in words."""

import numpy as np
import pytest

from npnet.data import ArrayDataset, as_dataset, minibatches
from npnet.data.convert import as_array, in_dtype, is_pair_of_arrays
from npnet.errors import InputError

pytestmark = pytest.mark.usefixtures("bare")

X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


class Series:
    """What pandas gives: its values in an array, of objects where types are mixed."""

    def __init__(self, values, dtype=None):
        self.values = np.asarray(values, dtype)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        return self.values[index]

    def to_numpy(self):
        return self.values


class Frame(Series):
    def __init__(self, columns):
        self.columns = list(columns)
        self.dtypes = [np.asarray(column).dtype for column in columns.values()]
        kinds = {dtype.kind for dtype in self.dtypes}
        common = object if len(kinds) > 1 and not kinds <= {"i", "f"} else None
        self.values = np.column_stack([np.asarray(column, common) for column in columns.values()])

    def __getitem__(self, name):
        return self.values[:, self.columns.index(name)]


@pytest.mark.parametrize(
    "given",
    [
        (X, Y),
        (X.tolist(), Y.tolist()),
        (X, Y.tolist()),
        (Frame({"a": X[:, 0], "b": X[:, 1]}), Series(Y)),
        (Frame({"a": X[:, 0], "b": X[:, 1]}), Series(Y, object)),
        (X, Series(Y)),
        {"data": X, "target": Y},
        {"data": Frame({"a": X[:, 0], "b": X[:, 1]}), "target": Series(Y), "target_names": ["u", "v", "w"]},
        ArrayDataset(X, Y),
    ],
)
def test_data_in_memory_becomes_two_arrays(given):
    data = as_dataset(given)
    assert type(data) is ArrayDataset
    np.testing.assert_array_equal(data.x, X)
    np.testing.assert_array_equal(data.y, Y)
    assert (data.x.dtype, data.y.dtype) == (np.float64, np.int64)


def test_arrays_are_not_copied():
    assert as_dataset(X, Y).x is X
    assert as_dataset((X, Y)).y is Y


def test_bunches_of_scikit_learn_are_taken():
    bunch = pytest.importorskip("sklearn.datasets").load_iris()
    assert as_dataset(bunch).x.shape == (150, 4)


def test_tensors_are_taken_even_of_a_graph():
    torch = pytest.importorskip("torch")
    data = as_dataset(torch.tensor(X, requires_grad=True), torch.tensor(Y))
    np.testing.assert_array_equal(data.x, X)


def test_what_is_no_pair_of_arrays_stays_what_it_is():
    pairs = [(X[i], Y[i]) for i in range(6)]
    assert as_dataset(pairs) is pairs
    two_samples = ((1.0, 0), (2.0, 1))
    assert not is_pair_of_arrays(two_samples)
    assert not is_pair_of_arrays(([(1.0, 0)], [(2.0, 1)]))
    assert not is_pair_of_arrays((ArrayDataset(X, Y), ArrayDataset(X, Y)))
    assert as_dataset(two_samples) is two_samples


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (X, r"data must be .* a float64 array .*; samples need their targets beside them: \(x, y\)"),
        ({"x": X}, "data must be .* got dict"),
        ("iris", "data must be .* got 'iris'"),
        (None, "data must be .* got None"),
        ((pair for pair in []), "make a list of an iterator first"),
        ((X, Y[:3]), r"as many targets as samples, got shapes \(6, 2\) and \(3,\)"),
        ((X[:0], Y[:0]), "must be x and y with as many targets"),
        (
            (np.ma.masked_array(X, X > 3), Y),
            r"must be a plain array, got a masked one; write data's x.filled",
        ),
        ((X, [[1], [1, 2]]), "data's y cannot be made an array"),
        (
            (np.array([["a", "b"]] * 6), Y),
            r"x must hold numbers, got text; npnet.data.arrays\(x, y\) gives splits",
        ),
        ((X * 1j, Y), "data's x must hold numbers, got a complex128 array"),
        (
            (Frame({"a": X[:, 0], "town": list("abcdef")}), Series(Y)),
            r"^as_dataset: data's x must hold numbers, got other values in column town; npnet.data.arrays",
        ),
        ((X.astype(str), Y), r"got text; numbers written as text become numbers by x.astype\(float\)"),
        (([["a", 1.0]] * 6, Y), r"got text; npnet.data.arrays\(x, y\) gives splits .* for columns of text"),
        (
            (X, Series([0, 1, None, 0, 1, 2], object)),
            r"data's y must hold numbers.*missing.*npnet.data.arrays\(x, y\) accepts both",
        ),
    ],
)
def test_what_is_no_data_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        as_dataset(given)


def test_a_loader_is_refused_and_its_data_set_named():
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)))
    with pytest.raises(InputError, match=r"loader\.dataset"):
        as_dataset(loader)


def test_a_sparse_matrix_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(InputError, match=r"got a sparse one; write x.toarray\(\)"):
        as_array("predict", "x", sparse.csr_array(X))


def test_minibatches_take_the_same():
    (x, target), *_ = minibatches((X, Y.tolist()), 4)
    np.testing.assert_array_equal(x, X[:4])
    np.testing.assert_array_equal(target, Y[:4])


@pytest.mark.parametrize("size", [np.int8(64), np.uint8(64), np.int64(64)])
def test_small_integers_of_numpy_do_not_wrap_around(size):
    data = as_dataset(np.zeros((100, 1)), np.arange(100))
    targets = [target.tolist() for _, target in minibatches(data, size)]
    assert targets == [list(range(64)), list(range(64, 100))]
    assert [len(t) for _, t in minibatches(data, size, start=np.int8(1))] == [36]


# ---- dtypes -------------------------------------------------------------------------------------------

FLOAT = np.dtype(np.float32)


def as_pairs(data):
    return [(data.x[i], data.y[i]) for i in range(len(data))]


@pytest.mark.parametrize("hold", [lambda data: data, as_pairs], ids=["arrays", "pairs"])
@pytest.mark.parametrize(
    ("x", "y", "targets", "x_dtype", "y_dtype"),
    [
        (np.float64, np.int64, "labels", np.float32, np.int64),
        (np.int32, np.uint8, "labels", np.float32, np.uint8),
        (np.float16, np.float64, "numbers", np.float32, np.float32),
        (np.float32, np.int64, "numbers", np.float32, np.float32),
        (np.float32, np.bool_, "labels", np.float32, np.int64),
        (np.float32, np.int64, "any", np.float32, np.int64),
        (np.bool_, np.float64, "any", np.float32, np.float32),
        (">f8", ">i8", "labels", np.float32, "<i8"),
    ],
)
def test_samples_and_targets_get_the_dtypes_they_must_have(hold, x, y, targets, x_dtype, y_dtype):
    data = ArrayDataset((X % 2).astype(x), (Y % 2).astype(y))
    converted, lines = in_dtype(hold(data), FLOAT, targets, "training")
    (got_x, got_y), *_ = minibatches(converted, 6)
    assert (got_x.dtype, got_y.dtype) == (np.dtype(x_dtype), np.dtype(y_dtype))
    np.testing.assert_array_equal(got_x, X % 2)
    np.testing.assert_array_equal(got_y, Y % 2)
    assert len(converted) == 6
    if np.dtype(y).isnative:  # stacking samples turns the bytes around by itself
        assert len(lines) == (np.dtype(x) != got_x.dtype) + (np.dtype(y) != got_y.dtype)
    assert all(line.startswith("training: ") and " converted from " in line for line in lines)


def test_nothing_is_touched_that_fits():
    data = ArrayDataset(X.astype(np.float32), Y)
    assert in_dtype(data, FLOAT, "labels") == (data, [])
    assert in_dtype(data, None) == (data, [])


def test_bytes_of_images_meet_a_hint():
    data = ArrayDataset(np.full((2, 3), 200, np.uint8), np.array([0, 1]))
    assert "x / 255 trains better" in in_dtype(data, FLOAT, "labels")[1][0]
    marks = ArrayDataset(np.ones((2, 3), np.uint8), np.array([0, 1]))
    assert "255" not in in_dtype(marks, FLOAT, "labels")[1][0]
