import csv

import numpy as np
import pytest

from npnet.data import signs
from npnet.data.signs import LETTERS, _part, read_signs
from npnet.errors import InputError, MissingError

HEADER = ["label", *(f"pixel{i}" for i in range(1, 785))]


def write(path, rows, header=HEADER):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def random_rows(n, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.choice([label for label in range(25) if label != 9], n)
    return np.column_stack([labels, rng.integers(256, size=(n, 784))])


def test_a_small_file_is_read(tmp_path):
    rows = random_rows(30)
    pixels, labels = read_signs(write(tmp_path / "a.csv", rows))
    assert (pixels.dtype, pixels.shape, labels.dtype) == (np.uint8, (30, 28, 28), np.int64)
    np.testing.assert_array_equal(pixels.reshape(30, 784), rows[:, 1:])
    np.testing.assert_array_equal(labels, rows[:, 0])


@pytest.mark.parametrize(
    "change", ["unix lines", "byte order mark", "quotes", "no last line end", "blank end"]
)
def test_it_may_be_written_in_any_of_the_usual_ways(tmp_path, change):
    rows = random_rows(3)
    path = write(tmp_path / "a.csv", rows)
    text = path.read_bytes()
    changed = {
        "unix lines": text.replace(b"\r\n", b"\n"),
        "byte order mark": b"\xef\xbb\xbf" + text,
        "quotes": text.replace(b"label", b'"label"').replace(b",0,", b',"0",'),
        "no last line end": text.rstrip(),
        "blank end": text + b"\r\n",
    }[change]
    path.write_bytes(changed)
    np.testing.assert_array_equal(read_signs(path)[1], rows[:, 0])


def test_letters_are_numbered_without_a_gap(tmp_path):
    rows = random_rows(24)
    rows[:, 0] = [label for label in range(25) if label != 9]
    part = _part(write(tmp_path / "a.csv", rows), 24)
    assert part.x.shape == (24, 1, 28, 28)
    np.testing.assert_array_equal(part.y, np.arange(24))
    np.testing.assert_array_equal(np.rint(part.x.reshape(24, 784) * 255), rows[:, 1:])
    assert [LETTERS[y] for y in part.y] == [chr(ord("A") + label) for label in rows[:, 0]]


def spoilt(line, column, value):
    rows = random_rows(3).astype(object)
    rows[line - 2, column] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (spoilt(3, 0, 9), r"a\.csv: line 3: label must be 0\.\.24 and not 9, got 9"),
        (spoilt(3, 0, 25), r"line 3: label must be 0\.\.24 and not 9, got 25"),
        (spoilt(3, 0, -1), r"line 3: label must be 0\.\.24 and not 9, got '-1'"),
        (spoilt(3, 0, 300), r"line 3: label must be 0\.\.24 and not 9, got '300'"),
        (spoilt(4, 2, 256), r"line 4: pixel2 must be a whole number 0\.\.255, got '256'"),
        (spoilt(4, 784, -3), r"line 4: pixel784 must be a whole number 0\.\.255, got '-3'"),
        (spoilt(2, 7, "dark"), r"line 2: pixel7 must be a whole number 0\.\.255, got 'dark'"),
        (spoilt(2, 7, " 5"), r"line 2: pixel7 must be a whole number .* got ' 5'"),
        (spoilt(2, 7, ""), "line 2: pixel7 must be a whole number .* got ''"),
        (spoilt(2, 7, "1.5"), r"line 2: pixel7 must be a whole number .* got '1\.5'"),
        ([*random_rows(2), random_rows(1)[0, :-1]], "line 4 must have 785 fields, got 784"),
        ([*random_rows(2), [*random_rows(1)[0], 5]], "line 4 must have 785 fields, got 786"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        read_signs(write(tmp_path / "a.csv", rows))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER[:-2], "2 columns missing from line 1, the first is 'pixel783'"),
        (HEADER[1:], "1 column missing from line 1, the first is 'label'"),
        ([*HEADER[1:], "label"], "the columns in line 1 must be label, pixel1, .* in this order"),
        ([*HEADER, "name"], "the columns in line 1 must be label, pixel1"),
        ([], "785 columns missing"),
    ],
)
def test_wrong_columns_are_named(tmp_path, header, message):
    with pytest.raises(InputError, match=message):
        read_signs(write(tmp_path / "a.csv", random_rows(2), header))


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"a\.csv cannot be read"):
        read_signs(tmp_path / "a.csv")


def test_a_file_cut_off_between_rows_is_refused(tmp_path):
    with pytest.raises(InputError, match="must have 27455 rows after the header, as published, got 3"):
        _part(write(tmp_path / "a.csv", random_rows(3)), 27455)


def test_where_the_files_are_to_be_had_and_where_they_belong(tmp_path):
    with pytest.raises(MissingError) as caught:
        signs(tmp_path)
    message = str(caught.value)
    for part in ("sign_mnist_train.csv", "kaggle.com", f"put them into {tmp_path / 'sign_mnist'}"):
        assert part in message
    assert "\n" not in message


def test_both_files_make_the_splits(tmp_path, monkeypatch):
    import sys

    (tmp_path / "sign_mnist").mkdir()
    counts = {"sign_mnist_train.csv": 60, "sign_mnist_test.csv": 30}
    for seed, (file, n) in enumerate(counts.items()):
        write(tmp_path / "sign_mnist" / file, random_rows(n, seed))
    monkeypatch.setattr(sys.modules["npnet.data.signs"], "ROWS", counts)
    splits = signs(tmp_path, validation=0.2, generator=np.random.default_rng(0))
    assert [len(part) for part in splits.parts().values()] == [48, 12, 30]
    assert "".join(splits.classes) == "ABCDEFGHIKLMNOPQRSTUVWXY"


def test_published_rows(real_data):
    path = real_data / "sign_mnist" / "sign_mnist_train_first188rows.csv"
    if not path.exists():
        pytest.skip("the data folder has no rows of the Sign Language MNIST")
    pixels, labels = read_signs(path)
    assert pixels.shape == (188, 28, 28)
    assert labels[:5].tolist() == [3, 6, 2, 2, 13]
    np.testing.assert_array_equal(
        np.loadtxt(path, delimiter=",", skiprows=1, dtype=int)[:, 1:], pixels.reshape(188, 784)
    )
