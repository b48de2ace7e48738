"""``npnet predict``: what a trained model says of rows and pictures."""

import json
import os

import numpy as np
import pytest

from npnet import checkpoint, data, nn
from npnet.cli import main
from npnet.data._image_file import KINDS
from npnet.saved import load, save

image_module = pytest.importorskip("PIL.Image")


def rng():
    return np.random.default_rng(0)


@pytest.fixture
def rows(tmp_path):
    """A model of rows that tells small from large, its file, and a table with answers."""
    table = tmp_path / "train.csv"
    sizes = [*range(5, 15), *range(25, 35)]
    lines = [f"{size},{'rg'[size % 2]},{'small' if size < 20 else 'large'}" for size in sizes]
    table.write_text("size,colour,kind\n" + "\n".join(lines))
    splits = data.csv(table, "kind")
    model = nn.Linear(3, 2, generator=rng())
    model.weight[...], model.bias[...] = [[3, 0, 0], [-3, 0, 0]], 0
    save(tmp_path / "model.safetensors", model, splits)
    return tmp_path


@pytest.fixture
def pictures(tmp_path):
    """A model of pictures that tells dark from light, and its pictures."""
    for first, name in enumerate(["dark", "light"]):
        (tmp_path / name).mkdir()
        for i in range(10):
            image_module.new("L", (4, 4), 180 * first + i).save(tmp_path / name / f"{i}.png")
    splits = data.image_folder(tmp_path, mode="L")
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, generator=rng()))
    model.parameters["1.weight"][...] = [[-1] * 16, [1] * 16]
    save(tmp_path / "model.safetensors", model, splits)
    return tmp_path


def write(path, text):
    path.write_text(text)
    return str(path)


def test_rows_are_answered_in_an_aligned_table(rows, capsys):
    file = write(rows / "new.csv", "colour,size\nr,3\ng,30\n")
    assert main(["predict", str(rows), file]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["line", "class", "probability"]
    assert [line.split()[:2] for line in out[2:]] == [["2", "small"], ["3", "large"]]
    assert len({line.rindex("%") for line in out[2:]}) == 1


def test_with_the_answers_in_the_file_it_says_how_often_it_is_right(rows, capsys):
    assert main(["predict", str(rows / "model.safetensors"), str(rows / "train.csv")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split() == ["line", "class", "probability", "target"]
    assert out[-1] == "accuracy: 100.00 % of 20 rows"


def test_one_json_object_a_line(rows, capsys):
    file = write(rows / "new.csv", "colour,size,kind\nr,3,small\n\ng,30,\n")
    assert main(["predict", str(rows), file, "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["file"], first["line"], first["class"], first["target"]) == (file, 2, "small", "small")
    assert first["probabilities"].keys() == {"small", "large"}
    assert first["probability"] == max(first["probabilities"].values())
    assert (second["line"], second["class"]) == (4, "large")
    assert "target" not in second


def test_other_columns_are_passed_over_with_a_word(rows, capsys):
    file = write(rows / "new.csv", "name;size;colour\nx;3,5;r\n")
    assert main(["predict", str(rows), write(rows / "n.csv", "name,size,colour\nx,3,r\n")]) == 0
    assert "columns 'name' are not used" in capsys.readouterr().err
    assert main(["predict", str(rows), file]) == 2  # the decimals of the training file have a point
    assert "line 2: column 'size' must be a number, got '3,5'" in capsys.readouterr().err


def test_pictures_are_answered(pictures, capsys):
    files = [str(pictures / "light" / "3.png"), str(pictures / "dark" / "7.png")]
    assert main(["predict", str(pictures), *files]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in out[2:]] == [[files[0], "light"], [files[1], "dark"]]
    assert main(["predict", str(pictures), files[1], "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["class"] == "dark"
    assert "line" not in answer


def test_more_pictures_than_are_held_at_once(pictures, capsys, monkeypatch):
    import npnet.cli.predict as module

    monkeypatch.setattr(module, "AT_A_TIME", 3)
    files = sorted(str(path) for path in pictures.glob("*/*.png"))
    assert main(["predict", str(pictures), *files, "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["file"] for answer in answers] == files
    assert [answer["class"] for answer in answers] == ["dark"] * 10 + ["light"] * 10


def test_numbers_are_printed(tmp_path, capsys):
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "\n".join(f"{i},{2 * i + 0.5}" for i in [4, 3, *range(5, 25)]))
    splits = data.csv(table, "y")
    model = nn.Linear(1, 1, generator=rng())
    to_y = splits.target_standardization
    model.weight[...] = 2 * splits.standardization.deviation / to_y.deviation
    model.bias[...] = (2 * splits.standardization.mean + 0.5 - to_y.mean) / to_y.deviation
    save(tmp_path / "model.safetensors", model, splits)
    assert main(["predict", str(tmp_path), write(tmp_path / "n.csv", "x\n10\n20\n")]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[2:]] == [
        ["2", "20.5"],
        ["3", "40.5"],
    ]
    assert main(["predict", str(tmp_path), str(tmp_path / "n.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["value"] == pytest.approx(20.5, abs=1e-4)


def test_arrays_without_names_are_answered_from_files_without_a_header(tmp_path, capsys):
    splits = data.arrays(rng().normal(size=(20, 2)), ["a", "b"] * 10)
    save(tmp_path / "model.safetensors", nn.Linear(2, 2, generator=rng()), splits)
    assert main(["predict", str(tmp_path), write(tmp_path / "n.csv", "0.5,1\n2,3\n")]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("size\n3\n", "column 'colour' must be there, got none"),
        ("Size,colour\n3,r\n", "column 'size' must be there, got none; did you mean 'Size'?"),
        ("3,r\n4,g\n", "columns 'size', 'colour' must be there, got none; the first line names no columns"),
        ("size,colour\n3,blue\n", "line 2: column 'colour' must be one of 'g', 'r', got 'blue'"),
        ("size,colour\n3\n", "line 2 must have 2 fields"),
        ("", "is empty"),
        ("size,colour\n", "at least one row"),
    ],
)
def test_files_that_do_not_fit_are_one_line_on_standard_error(rows, capsys, content, message):
    file = write(rows / "new.csv", content)
    assert main(["predict", str(rows), file]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("npnet: ")
    assert err.count("\n") == 1
    assert message in err
    assert "new.csv" in err


def test_places_that_are_none(rows, pictures, capsys, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "runs" / "old").mkdir(parents=True)
    save(tmp_path / "runs" / "old" / "model.safetensors", nn.ReLU())
    checkpoint.save_weights(tmp_path / "w.safetensors", nn.Linear(1, 1, generator=rng()))
    for arguments, message in (
        ([tmp_path / "nowhere", "x.csv"], f"but there is no {tmp_path / 'nowhere'}"),
        ([tmp_path / "dark", "x.csv"], "has no model.safetensors"),
        ([tmp_path / "runs", "x.csv"], "its last run is"),
        ([tmp_path / "pipe", "x.csv"], "must be a file, got a named pipe"),
        ([tmp_path / "w.safetensors", "x.csv"], "holds weights alone"),
        ([tmp_path / "runs" / "old", "x.csv"], "takes neither rows nor pictures"),
        ([pictures, tmp_path / "pipe"], "must be a file, got a named pipe"),
        (
            [pictures, tmp_path / "model.safetensors"],
            "is no image, or is damaged, or is of a kind other than PNG",
        ),
        ([pictures, tmp_path / "train.csv"], "predict: this model takes images, got "),
        ([pictures, tmp_path / "runs"], "runs holds no pictures"),
        ([pictures], "FILE"),
    ):
        assert main(["predict", *map(str, arguments)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert message in err
        assert err.count("\n") == 1


def test_names_do_not_move_the_cursor(tmp_path, capsys):
    splits = data.arrays(np.linspace(-1, 1, 20), ["a\x1b[2J"] * 10 + ["b"] * 10)
    save(tmp_path / "model.safetensors", nn.Linear(1, 2, generator=rng()), splits)
    assert main(["predict", str(tmp_path), write(tmp_path / "n.csv", "-1\n1\n")]) == 0
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.usefixtures("blank_pictures")
def test_a_run_keeps_a_whole_model(tmp_path, capsys):
    assert main(["train", "digits", "--quick", "--quiet", "--out", str(tmp_path)]) == 0
    (run,) = (tmp_path / "digits").iterdir()
    saved = load(run / "model.safetensors")
    assert saved.classes == tuple("0123456789")
    splits = data.digits(rng())
    pixels = np.rint(splits.standardization.undo(splits.test.x[:40])[:, 0].clip(0, 1) * 255).astype(np.uint8)
    files = []
    for i, image in enumerate(pixels):
        files.append(str(tmp_path / f"{i}.png"))
        image_module.fromarray(image).save(files[-1])
    capsys.readouterr()
    assert main(["predict", str(run), *files, "--json"]) == 0
    answers = [json.loads(line)["class"] for line in capsys.readouterr().out.splitlines()]
    assert np.mean([int(answer) == y for answer, y in zip(answers, splits.test.y, strict=False)]) > 0.8


def test_pictures_in_a_folder_are_answered(pictures, capsys):
    (pictures / "dark" / "notes.txt").write_text("no picture")
    assert main(["predict", str(pictures), str(pictures / "dark"), "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["file"] for answer in answers] == [str(pictures / "dark" / f"{i}.png") for i in range(10)]
    assert {answer["class"] for answer in answers} == {"dark"}


def test_pictures_of_another_size_are_told(pictures, capsys):
    for name, size in (("wide", (9, 5)), ("high", (5, 9))):
        image_module.new("L", size).save(pictures / f"{name}.png")
    files = [str(pictures / f"{name}.png") for name in ("wide", "high")]
    assert main(["predict", str(pictures), *files]) == 0
    assert capsys.readouterr().err == (f"npnet: 2 pictures were resized to 4×4 pixels; {files[0]} has 5×9\n")
    assert main(["predict", str(pictures), str(pictures / "dark" / "7.png")]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_one_bad_picture_does_not_keep_the_others_from_an_answer(pictures, capsys, options):
    damaged = write(pictures / "damaged.png", "no picture")
    good = [str(pictures / "light" / "3.png"), str(pictures / "dark" / "7.png")]
    files = [good[0], damaged, str(pictures / "nothere.png"), good[1]]
    assert main(["predict", str(pictures), *files, *options]) == 2
    out, err = capsys.readouterr()
    assert [file in out for file in files] == [True, False, False, True]
    assert err.splitlines() == [
        f"npnet: {damaged} is no image, or is damaged, or is of a kind other than {', '.join(KINDS)}",
        f"npnet: predict: there is no file {files[2]}",
    ]


def test_one_bad_table_does_not_keep_the_others_from_an_answer(rows, capsys):
    good = write(rows / "good.csv", "colour,size\nr,3\n")
    bad = write(rows / "bad.csv", "colour,size\nr,x\n")
    assert main(["predict", str(rows), bad, good, "--json"]) == 2
    out, err = capsys.readouterr()
    assert [json.loads(line)["file"] for line in out.splitlines()] == [good]
    assert err == f"npnet: {bad}: line 2: column 'size' must be a number, got 'x'\n"


def test_files_of_the_wrong_kind_are_told_in_words(rows, capsys):
    picture = str(rows / "3.png")
    image_module.new("L", (4, 4)).save(picture)
    for file, message in (
        (picture, f"predict: this model takes rows of a CSV file, got {picture}"),
        ("nothere.csv", "predict: there is no file nothere.csv"),
        (str(rows), f"predict: {rows} must be a file, got a folder"),
    ):
        assert main(["predict", str(rows), file]) == 2
        assert capsys.readouterr() == ("", f"npnet: {message}\n")
        with pytest.raises(ValueError, match=message):
            load(rows / "model.safetensors").predict(file)


def test_a_target_of_other_things_is_not_judged(tmp_path, capsys):
    splits = data.arrays({"x": np.linspace(-1, 1, 20)}, np.linspace(0, 9.5, 20))
    save(tmp_path / "model.safetensors", nn.Linear(1, 1, generator=rng()), splits)
    file = write(tmp_path / "n.csv", "x,y\n1,2.5\n2,\n3,nobody\n4,inf\n")
    assert main(["predict", str(tmp_path), file, "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer.get("target") for answer in answers] == [2.5, None, None, None]
    assert main(["predict", str(tmp_path), file]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("RMSE: ")
    assert last.endswith(", of 1 row")
