import numpy as np
import pytest

from npnet import data
from npnet.data import RowFormat
from npnet.errors import DTypeError, InputError

RNG = np.random.default_rng(0)


class Series:
    """What of a series of pandas matters here."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __len__(self):
        return len(self.values)

    def to_numpy(self):
        return self.values


class Frame:
    """What of a frame of pandas matters here."""

    def __init__(self, **columns):
        self.content = {name: Series(values) for name, values in columns.items()}
        self.columns = list(columns)

    def __getitem__(self, name):
        return self.content[name]

    def to_numpy(self):
        return np.array([series.values for series in self.content.values()], object).T


def test_arrays_of_rows_become_standardised_parts():
    x, y = RNG.normal(5, 2, (50, 3)), np.arange(50) % 2
    splits = data.arrays(x, y)
    assert [len(part) for part in splits.parts().values()] == [30, 10, 10]
    assert splits.classes == ("0", "1")
    assert splits.features == ("0", "1", "2")
    assert splits.train.x.dtype == np.float32
    np.testing.assert_allclose(splits.train.x.mean(0), 0, atol=1e-6)


def test_a_frame_keeps_its_names_and_texts():
    frame = Frame(
        age=np.arange(20.0), colour=np.array(["red", "blue"] * 10, object), flag=np.array([True, False] * 10)
    )
    splits = data.arrays(frame, Series(["a", "b"] * 10), standardized=False)
    assert splits.features == ("age", "colour=blue", "colour=red", "flag")
    assert splits.classes == ("a", "b")
    np.testing.assert_array_equal(splits.train.x[:, 2], splits.train.x[:, 3])
    dict_of_columns = data.arrays({"age": [1.0, 2.0] * 10}, ["a", "b"] * 10)
    assert dict_of_columns.features == ("age",)


def test_a_series_is_one_number_for_each_sample():
    splits = data.arrays(Series(np.linspace(0, 1, 20)), Series(["a", "b"] * 10))
    assert splits.input_shape == (1,)
    assert sum(map(len, splits.parts().values())) == 20


def test_missing_numbers_of_a_frame_are_filled():
    ages = np.arange(20.0) ** 2
    ages[3] = np.nan
    objects = np.array([None, *"ab" * 9, float("nan")], object)
    splits = data.arrays(Frame(age=ages, letter=objects), ["a", "b"] * 10)
    assert {row[0]: row[2] for row in splits.report.rows} == {"age": 1, "letter": 2}


def test_images_keep_their_shape():
    x = RNG.integers(0, 256, (30, 3, 5, 4), dtype=np.uint8)
    splits = data.arrays(x, np.arange(30) % 3, name="photos")
    assert splits.input_shape == (3, 5, 4)
    assert splits.format is None
    assert splits.name == "photos"
    np.testing.assert_allclose(splits.train.x.std(axis=(0, 2, 3)), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("y", "task", "classes", "shape"),
    [
        (np.arange(30) % 25, None, 25, ()),
        (np.arange(30) % 2 == 0, None, 2, ()),
        ((np.arange(30) % 2).astype(float), None, 2, ()),
        (np.linspace(0, 1, 30), None, 0, (1,)),
        (np.arange(30.0), None, 0, (1,)),
        (np.arange(30)[:, None] % 2, None, 2, ()),
        (np.arange(30) % 2, "regression", 0, (1,)),
        (RNG.normal(size=(30, 2)), None, 0, (2,)),
        (list("ab" * 15), None, 2, ()),
    ],
    ids=str,
)
def test_classes_or_numbers_are_learnt(y, task, classes, shape):
    if classes == 25:
        y = np.repeat(np.arange(15), 2)
        classes = 15
    splits = data.arrays(RNG.normal(size=(30, 2)), y, task=task)
    assert len(splits.classes) == classes
    assert splits.train.y.shape[1:] == shape
    assert splits.train.y.dtype == (np.int64 if classes else np.float32)


def test_labels_that_are_not_counted_from_0_keep_their_names():
    splits = data.arrays(np.arange(20.0).reshape(10, 2), np.array([3, 7] * 5), validation=None, test=None)
    assert splits.classes == ("3", "7")
    assert splits.train.y.tolist() == [0, 1] * 5


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((10, 2)), np.eye(2)[[0, 1] * 5], r"looks one-hot: write y.argmax\(axis=1\)"),
        (np.ones((10, 4, 4, 3)), [0, 1] * 5, r"write x.transpose\(0, 3, 1, 2\)"),
        (np.ones((10, 4, 4)), [0, 1] * 5, r"for grey images write x\[:, None\]"),
        (np.ones((10, 2)), [0, 1], "y must be one value for each of 10 samples of x"),
        (np.ma.masked_array(np.ones((10, 2))), [0, 1] * 5, "must be a plain array, got a masked array"),
        (np.ones((10, 2)), np.ma.masked_array([0, 1] * 5), "filled"),
        ([[1, 2], [3]] * 5, [0, 1] * 5, "rows that differ"),
        (np.array([[1j]] * 10), [0, 1] * 5, "must hold numbers or text"),
        (np.array([["2020-01-01"]] * 10, "M8[D]"), [0, 1] * 5, "must hold numbers or text"),
        (np.zeros((0, 2)), [], "must be rows of values"),
        (None, [0, 1], "x must be rows of values: .* got None"),
        (np.ones((10, 2)), None, "y must be an array, a series or a list"),
        (np.full((10, 2), 1e39), [0, 1] * 5, "float32"),
    ],
)
def test_what_is_no_data_is_refused(x, y, message):
    with pytest.raises(InputError, match=message):
        data.arrays(x, y, standardized=False)


# ---- rows that come later ------------------------------------------------------------------------------


@pytest.fixture
def rows():
    frame = Frame(age=np.arange(20.0), colour=np.array(["red", "blue"] * 10, object))
    return data.arrays(frame, ["a", "b"] * 10).format


@pytest.mark.parametrize(
    "raw",
    [
        [[3, "red"], [4.5, "blue"]],
        ((3, "red"), (4.5, "blue")),
        np.array([[3, "red"], [4.5, "blue"]], object),
        np.array([["3", "red"], ["4.5", "blue"]]),
        [{"colour": "red", "age": 3, "more": "x"}, {"colour": "blue", "age": "4.5", "more": "y"}],
        {"colour": ["red", "blue"], "age": [3, 4.5]},
        Frame(colour=["red", "blue"], other=[0, 0], age=[3, 4.5]),
    ],
    ids=lambda raw: type(raw).__name__,
)
def test_rows_of_every_kind_go_the_way_of_the_training_data(rows, raw):
    np.testing.assert_array_equal(rows(raw), [[3, 0, 1], [4.5, 1, 0]])


@pytest.mark.parametrize("raw", [[3, "red"], {"age": 3, "colour": "red"}])
def test_one_row_alone(rows, raw):
    np.testing.assert_array_equal(rows(raw), [[3, 0, 1]])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([[3]], "rows must be rows of 2 values, 'age', 'colour', got 1 value a row"),
        ({"agee": 3, "colour": "red"}, "rows: column 'age' must be there, got none; did you mean 'agee'?"),
        ({"age": 3, "colour": "green"}, "row 0: column 'colour' must be one of 'blue', 'red', got 'green'"),
        ({"age": "old", "colour": "red"}, "row 0: column 'age' must be a number, got 'old'"),
        ([{"age": 1}, {"size": 2}], "rows must be dicts with equal keys, 'age', got 'size' in row 1"),
        (
            {"age": [1, 2], "colour": ["red"]},
            "column 'colour' must have 2 values like the first column, got 1",
        ),
        ("nowhere.csv", "there is no file nowhere.csv"),
        (3, "rows must be rows of values: .* got 3"),
        ([], "rows must be rows of values"),
        ({"age": [[1], [2]], "colour": ["red", "red"]}, "must hold numbers or text"),
    ],
)
def test_rows_that_do_not_look_like_the_training_data(rows, raw, message):
    with pytest.raises(InputError, match=message):
        rows(raw)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"columns": 3},
        {"columns": [3]},
        {"columns": [{"name": 3}], "target": "", "decimal": "."},
    ],
)
def test_what_is_no_format_is_refused(value, bare):
    with pytest.raises(InputError):
        RowFormat.from_json(value)
    with pytest.raises(InputError):
        data.ImageFormat.from_json(value)


def test_an_error_of_kind_keeps_its_class():
    with pytest.raises(DTypeError):
        data.arrays(np.ma.masked_array(np.ones((10, 2))), [0, 1] * 5)
