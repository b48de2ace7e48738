import os
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet import data
from npnet.errors import InputError, MissingError

csv_module = sys.modules["npnet.data._csv_file"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.csv"


def rows_of(n=20):
    """Rows of two numbers, a text and a class."""
    rng = np.random.default_rng(0)
    return [
        [f"{rng.normal():.3f}", str(rng.integers(50)), ["red", "blue"][i % 2], ["cat", "dog", "owl"][i % 3]]
        for i in range(n)
    ]


HEADER = ["length", "age", "colour", "kind"]


def write(path, rows=None, header=HEADER, delimiter=",", end="\n", encoding="utf-8"):
    lines = [header, *(rows_of() if rows is None else rows)]
    text = end.join(delimiter.join(map(str, line)) for line in lines if line is not None) + end
    path.write_bytes(text.encode(encoding))
    return path


def raw(splits):
    """Return x of all parts, not standardised, and y."""
    x = np.concatenate([part.x for part in splits.parts().values()])
    y = np.concatenate([part.y for part in splits.parts().values()])
    return x, y


# ---- what becomes of columns ---------------------------------------------------------------------------


def test_numbers_texts_and_classes(path):
    splits = data.csv(write(path), "kind", standardized=False)
    assert splits.features == ("length", "age", "colour=blue", "colour=red")
    assert splits.classes == ("cat", "dog", "owl")
    assert splits.input_shape == (4,)
    assert [len(part) for part in splits.parts().values()] == [12, 4, 4]
    expected = [
        [np.float32(length), int(age), colour == "blue", colour == "red", HEADER and "cdo".index(kind[0])]
        for length, age, colour, kind in rows_of()
    ]
    x, y = raw(splits)
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    found = np.column_stack([x, y])
    np.testing.assert_array_equal(
        found[np.lexsort(found.T)], np.array(expected, float)[np.lexsort(np.array(expected, float).T)]
    )


def test_the_training_part_alone_standardises(path):
    splits, plain = (data.csv(write(path), "kind", standardized=flag) for flag in (True, False))
    train = plain.train.x.astype(np.float64)
    np.testing.assert_allclose(splits.test.x, (plain.test.x - train.mean(0)) / train.std(0), atol=1e-5)
    np.testing.assert_allclose(splits.train.x.mean(0), 0, atol=1e-6)


def test_large_offsets_keep_their_differences(path):
    noise = np.random.default_rng(0).integers(-1000, 1001, 300)
    rows = [[1_700_000_000_000 + n, "late" if n > 0 else "early"] for n in noise]
    splits = data.csv(write(path, rows, ["time", "when"]), "when")
    x, _ = raw(splits)
    milliseconds = splits.standardization.undo(x.astype(np.float64))
    np.testing.assert_allclose(np.sort(milliseconds[:, 0]), np.sort(1_700_000_000_000 + noise), atol=1e-3)


def test_missing_values_are_counted_and_filled_with_the_training_median(path):
    rows = rows_of(40)
    for i, mark in enumerate(["", "NA", "nan", " ? ", "null", "N/A"]):
        rows[i][0] = mark
    rows[7][2] = ""
    splits = data.csv(write(path, rows), "kind", standardized=False)
    (length, *_) = splits.format.columns
    known = {float(row[0]) for row in rows[6:]}
    train = [float(v) for v in splits.train.x[:, 0] if any(abs(v - k) < 1e-6 for k in known)]
    assert length.fill == pytest.approx(
        np.median([v for v in train if not np.isclose(v, length.fill, atol=1e-6)]), abs=0.2
    )
    x, _ = raw(splits)
    assert np.isclose(x[:, 0], length.fill).sum() >= 6
    assert (x[:, 2:].sum(axis=1) == 0).sum() == 1
    assert {row[0]: row[2] for row in splits.report.rows} == {"length": 6, "age": 0, "colour": 1}
    assert "'length': 6 missing, filled with the training part's median" in str(splits)


def test_the_median_is_that_of_the_training_part(path):
    rows = [[i if i % 5 else "", i % 2] for i in range(100)]
    splits = data.csv(write(path, rows, ["x", "y"]), "y", standardized=False)
    fill = splits.format.columns[0].fill
    learnt = splits.train.x[:, 0]
    # Filled values stand at the median, so that taking it again changes nothing.
    assert np.median(learnt) == fill
    other = data.csv(path, "y", standardized=False, generator=np.random.default_rng(5))
    assert other.format.columns[0].fill != fill


def test_missing_values_may_be_refused_instead(path):
    rows = rows_of()
    rows[4][1] = "NA"
    with pytest.raises(
        InputError, match="column 'age' must hold no missing values, got 1, the first in line 6"
    ):
        data.csv(write(path, rows), "kind", missing="refuse")


def test_a_row_without_a_target_is_left_out_and_said(path):
    rows = rows_of()
    rows[3][3] = ""
    splits = data.csv(write(path, rows), "kind")
    assert sum(map(len, splits.parts().values())) == 19
    assert "1 row left out: target 'kind' is missing, first in line 5" in str(splits)
    with pytest.raises(InputError, match="target 'kind' must be there in every row, got 1 row without"):
        data.csv(path, "kind", missing="refuse")


def test_a_column_without_values_is_left_out_and_said(path):
    rows = [[*row, "NA"] for row in rows_of()]
    splits = data.csv(write(path, rows, [*HEADER, "empty"]), "kind")
    assert "empty" not in splits.features
    assert "'empty' left out: it holds no values" in str(splits)
    with pytest.raises(InputError, match="column 'empty' must hold values, got none in 20 rows"):
        data.csv(path, "kind", features=["empty"])


def test_a_running_number_is_left_out_and_said(path):
    rows = [[i, *row] for i, row in enumerate(rows_of())]
    splits = data.csv(write(path, rows, ["", *HEADER]), "kind")
    assert splits.features[0] == "length"
    assert "'unnamed 0' left out: it numbers the rows" in str(splits)
    assert data.csv(path, "kind", features=["unnamed 0", "age"]).features == ("unnamed 0", "age")


@pytest.mark.parametrize("which", [{"drop": "colour"}, {"drop": [2]}, {"features": ["length", "age"]}])
def test_columns_are_chosen(path, which):
    assert data.csv(write(path), "kind", **which).features == ("length", "age")


def test_names_of_rows_are_refused_with_what_to_write(path):
    rows = [[f"person {i}", *row] for i, row in enumerate(rows_of(300))]
    message = r"at most 256 different values, got 'name' 300; .* drop=\['name'\]"
    with pytest.raises(InputError, match=message):
        data.csv(write(path, rows, ["name", *HEADER]), "kind")
    assert len(data.csv(path, "kind", drop="name").features) == 4


def test_a_slip_among_numbers_is_named(path):
    rows = rows_of(100)
    rows[50][0] = "12o"
    with pytest.raises(InputError, match=r"line 52: column 'length' must be a number, .* got '12o'"):
        data.csv(write(path, rows), "kind")


@pytest.mark.parametrize("value", ["inf", "-inf", "1e999"])
def test_infinity_is_no_number(path, value):
    rows = rows_of()
    rows[5][0] = value
    with pytest.raises(InputError, match="line 7: column 'length' must be a finite number"):
        data.csv(write(path, rows), "kind")


# ---- what is to be learnt ------------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("target", ["kind", 3, -1, np.int64(3), np.int8(-1)])
def test_the_target_by_name_or_position(path, target):
    assert data.csv(write(path), target).classes == ("cat", "dog", "owl")


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        ([10, 2, 2, 10] * 5, None, ("2", "10")),
        (["1.0", "0.0"] * 10, None, ("0", "1")),
        (["0.5", "1.5"] * 10, "classification", ("0.5", "1.5")),
        (["yes", "no"] * 10, None, ("no", "yes")),
        ([0.5 * i for i in range(20)], None, ()),
        (range(20), None, ()),
        ([1, 2] * 10, "regression", ()),
    ],
)
def test_classes_or_numbers_are_learnt(path, values, task, classes):
    rows = [[i**2, value] for i, value in enumerate(values)]
    splits = data.csv(write(path, rows, ["x", "y"]), "y", task=task, standardized=False)
    x, y = raw(splits)
    assert splits.classes == classes
    assert splits.task == ("classification" if classes else "regression")
    if not classes:
        assert (y.dtype, y.shape) == (np.float32, (20, 1))
    shown = [classes[label] for label in y] if classes else y[:, 0]
    for (square,), value in zip(x, shown, strict=True):
        assert float(value) == float(values[round(square**0.5)]) if values[0] not in ("yes", "no") else True


def test_whole_numbers_learnt_as_numbers_are_told(path):
    rows = [[(i * 7) % 80, i] for i in range(80)]
    told = "'y' is learnt as a number; task='classification' makes each of its values a class"
    assert told in str(data.csv(write(path, rows, ["x", "y"]), "y"))
    assert told not in str(data.csv(path, "y", task="regression"))
    letters = [[i, i % 26] for i in range(104)]
    assert len(data.csv(write(path, letters, ["x", "y"]), "y").classes) == 26


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        (["a"] * 20, None, "at least two classes, got only 'a'"),
        ([1] * 20, None, "at least two classes, got only '1'"),
        ([f"name {i}" for i in range(20)], None, "got 20 different values in 20 rows; task='regression'"),
        (["a", "b"] * 10, "regression", "line 2: target 'y' must be a number, got 'a'"),
        (
            ["1e60"] * 10 + ["2.5"] * 10,
            "regression",
            "line 2: target 'y' must be a number that float32 can hold",
        ),
        ([""] * 20, None, "target 'y' must be there in every row, got 20 rows without"),
    ],
)
def test_what_cannot_be_learnt_is_refused(path, values, task, message):
    rows = [[i**2, value] for i, value in enumerate(values)]
    with pytest.raises(InputError, match=message):
        data.csv(write(path, rows, ["x", "y"]), "y", task=task)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("Kimd", "target must be a column, got 'Kimd'; did you mean 'kind'?"),
        ("zzz", "target must be a column, got 'zzz'; there are 'length', 'age'"),
        (4, "target must be an integer from -4 to 3, got 4"),
    ],
)
def test_a_target_that_is_not_there(path, target, message):
    with pytest.raises(InputError) as caught:
        data.csv(write(path), target)
    assert message in str(caught.value)


def test_the_same_seed_gives_the_same_parts_and_another_others(path):
    write(path)
    first, again = (data.csv(path, "kind").test.x for _ in range(2))
    other = data.csv(path, "kind", generator=np.random.default_rng(1)).test.x
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"validation": None}, {"train": 16, "test": 4}),
        ({"validation": None, "test": None}, {"train": 20}),
        ({"validation": 3, "test": 0.25}, {"train": 12, "validation": 3, "test": 5}),
    ],
)
def test_the_parts_have_the_sizes_asked_for(path, sizes, expected):
    parts = data.csv(write(path), "kind", **sizes).parts()
    assert {name: len(part) for name, part in parts.items()} == expected


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"validation": 0.6, "test": 0.5}, "must leave samples to learn from, there are 20 in all"),
        ({"validation": 20}, "must leave samples to learn from"),
        ({"test": 0.01}, "test of 0.01 must hold at least one of 20 samples"),
    ],
)
def test_sizes_that_leave_nothing(path, sizes, message):
    with pytest.raises(InputError, match=message):
        data.csv(write(path), "kind", **sizes)


# ---- how files are written -----------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_program_may_have_written_it(path, tmp_path, delimiter, end, encoding):
    expected = data.csv(write(path), "kind")
    other = write(tmp_path / "other.csv", delimiter=delimiter, end=end, encoding=encoding)
    found = data.csv(other, "kind")
    np.testing.assert_array_equal(found.train.x, expected.train.x)
    assert found.features == expected.features


def test_decimals_after_a_comma(path, tmp_path):
    expected = data.csv(write(path), "kind")
    rows = [[row[0].replace(".", ","), *row[1:]] for row in rows_of()]
    found = data.csv(write(tmp_path / "european.csv", rows, delimiter=";"), "kind")
    np.testing.assert_array_equal(found.train.x, expected.train.x)
    assert found.format.decimal == ","


def test_quotes_blanks_and_empty_lines(path):
    path.write_text(
        'size , "the, kind"\n\n 1.5 ,"a ""quoted"", one"\n"2.5", b \n\n' + "3,b\n4,b\n5,c\n6,c\n" * 3
    )
    table, delimiter, header = csv_module.read_csv("csv", path, None, None, None)
    assert (delimiter, header, table.rows) == (",", True, 14)
    assert list(table.columns) == ["size", "the, kind"]
    assert table.columns["the, kind"].values == ['a "quoted", one', "b", "c"]
    assert table.place(0) == "line 3"


def test_without_a_header_columns_go_by_their_place(path):
    splits = data.csv(write(path, header=None), target=3)
    assert splits.features == ("0", "1", "2=blue", "2=red")
    assert data.csv(path, "3").classes == splits.classes


def test_whether_there_is_a_header_can_be_said(path):
    rows = [[2020 + i, i % 2] for i in range(20)]
    write(path, rows, ["1999", "2000"])
    assert data.csv(path, "2000", header=True).features == ("1999",)
    write(path, [["a", "b", i % 2] for i in range(20)], ["a", "b", "c"])
    with pytest.raises(InputError, match=r"line|target"):
        data.csv(path, 2, header=False, task="regression")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b\n", "must have at least one row after the header, got none"),
        (b"a,b\n1,2\n1,2,3\n", "line 3 must have 2 fields, like the header, got 3"),
        (b"a,b\n1,2\n\n1\n", "line 4 must have 2 fields, like the header, got 1"),
        (b"a,b,a\n1,2,3\n", "the header must name each column once, got 'a' more than once"),
        (b"a\n1\n2\n", "must have at least two columns, got one, 'a'"),
        (b"a,b\n1,\x002\n", "line 2 holds a zero byte"),
        (b"a,b\n1,gr\xfcn\n", r"must be utf-8-sig text, got byte 0xfc; save it as UTF-8"),
        (b'a,b\n1,"2\n3,4\n', "unexpected end of data"),
        (b'a,b\n1,"2"x\n', "line 2: ',' expected after '\"'"),
        (b"a,b\n" + b"1," + b"x" * 200_000 + b"\n", "field larger than field limit"),
        (b"a,b\n1,2\n", "validation of 0.2 must hold at least one of 1 sample; validation=None"),
        (b"PK\x03\x04\x00\x00rest\n", "zero byte|text"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(path, content, message):
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        data.csv(path, 1 if b"," in content else 0)


def test_another_encoding_can_be_said(path):
    rows = [[i**2, ["grün", "blau"][i % 2]] for i in range(20)]
    write(path, rows, ["x", "farbe"], encoding="latin-1")
    assert data.csv(path, "farbe", encoding="latin-1").classes == ("blau", "grün")
    with pytest.raises(InputError, match="encoding must be a name Python knows, got 'nonsense'"):
        data.csv(path, "farbe", encoding="nonsense")


def test_a_table_of_many_columns(path):
    rng = np.random.default_rng(0)
    rows = [[*rng.integers(0, 256, 3000), "ab"[i % 2]] for i in range(20)]
    splits = data.csv(write(path, rows, [*(f"pixel{i}" for i in range(3000)), "letter"]), "letter")
    assert splits.input_shape == (3000,)
    assert "2960 more rows" in str(splits)


@given(st.binary(max_size=300))
def test_no_bytes_end_in_anything_but_words(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_bytes(content)
    with suppress(InputError):
        data.csv(path, 0)


# ---- odd places ----------------------------------------------------------------------------------------


def test_places_that_are_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for place, message in (
        (tmp_path / "pipe.csv", "must be a file, got a named pipe"),
        (tmp_path, "must be a file, got a folder"),
        ("/dev/zero", "must be a file, got a device"),
        (tmp_path / ("x" * 300), "cannot read .*: File name too long"),
        (tmp_path / "nowhere.csv", "there is no file"),
        ("~nouser/x.csv", "there is no file"),
        ("a\0b", "path must be a path"),
        ("", "path must be a path"),
    ):
        with pytest.raises(InputError, match=message):
            data.csv(place, "kind")
    with pytest.raises(MissingError):
        data.csv(tmp_path / "nowhere.csv", "kind")


def test_a_terabyte_is_not_read(path):
    with path.open("wb") as file:
        try:
            file.truncate(2**40)
        except OSError:
            pytest.skip("the file system holds no file of a terabyte, not even one full of holes")
    with pytest.raises(InputError, match="must be of at most 1024 MiB, got 1048576 MiB"):
        data.csv(path, "kind")


# ---- telling -------------------------------------------------------------------------------------------


def test_what_was_found_is_told(path):
    splits = data.csv(write(path), "kind")
    assert repr(splits) == (
        "Splits(table: 12 training, 4 validation, 4 test samples of shape (4,); 3 classes)"
    )
    text = str(splits)
    assert "20 rows, 3 columns, 4 features; target 'kind': 3 classes" in text
    assert "colour   blue, red" in text
    html = splits._repr_html_()
    assert html.count("<table>") == 2
    assert "<td" in html


def test_a_class_without_a_training_sample_is_told(path):
    rows = [[i**2, "rare" if i < 1 else "ab"[i % 2]] for i in range(30)]
    write(path, rows, ["x", "y"])
    told = [
        "no training sample: rare" in str(data.csv(path, "y", generator=np.random.default_rng(seed)))
        for seed in range(10)
    ]
    assert any(told)
    assert not all(told)


# ---- texts that are something else ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (
            [f"${i % 12}" for i in range(60)],
            "column 'p': 12 texts such as '$0', each a feature of its own; to use them as numbers write 0",
        ),
        ([f'"1,{i:03}"' for i in range(60)], "60 texts such as '1,000', each a feature of its own; to use"),
        ([f"{i} %" for i in range(60)], "60 texts such as '0 %'"),
        ([f"1'{i:03}.50 CHF" for i in range(60)], "write 1000.50"),
        (
            [f"2026-01-{i:02}" for i in range(48)] + ["2026-01-00"] * 12,
            "column 'p': 48 different texts in 60 rows, such as '2026-01-00', each a feature of its own",
        ),
    ],
)
def test_texts_that_are_more_likely_something_else_are_told(path, texts, told):
    rows = [[text, i * i, "xy"[i % 2]] for i, text in enumerate(texts)]
    splits = data.csv(write(path, rows, ["p", "q", "kind"]), "kind")
    (line,) = [line for line in str(splits).splitlines() if "column 'p'" in line]
    assert told in line
    assert line.endswith("otherwise drop=['p']") == ("different texts" in told)


@pytest.mark.parametrize(
    "texts",
    [["red", "blue", "10 %"] * 20, ["a, b", "c"] * 30, [f"room {i % 30}" for i in range(60)], [*"abcdef"]],
)
def test_texts_that_are_classes_are_not(path, texts):
    rows = [[text, i * i, "xy"[i % 2]] for i, text in enumerate(texts)]
    assert "column 'p'" not in str(data.csv(write(path, rows, ["p", "q", "kind"], delimiter=";"), "kind"))


def test_numbers_with_signs_are_told_where_there_are_too_many(path):
    rows = [[f"${i}.50", i * i, "xy"[i % 2]] for i in range(300)]
    message = r"drop=\['p'\]; a number such as '\$\d+\.50' must be written \d+\.50$"
    with pytest.raises(InputError, match=message):
        data.csv(write(path, rows, ["p", "q", "kind"]), "kind")


def test_one_of_something_is_not_several(path):
    splits = data.csv(write(path, [[i * i, "xy"[i % 2]] for i in range(20)], ["q", "kind"]), "kind")
    assert str(splits.report).startswith("20 rows, 1 column, 1 feature; target 'kind': 2 classes")
