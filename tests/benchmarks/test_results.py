import json

import pytest

from benchmarks import results
from benchmarks.results import Record, Results, axes
from npnet.errors import InputError, MissingError


def some():
    about = {"axis": "batch", "size": 2, "work": "w"}
    return Results(
        "step",
        {"cores": 2},
        {"rounds": 3},
        [Record(about, {"npnet": [1.0, 2.0]}, at_most=0.5, peers_at_most={"p": 0.1})],
        ["a note"],
    )


def test_what_is_written_is_read(tmp_path):
    path = results.write(some(), tmp_path / "new" / "folder")
    assert results.read(path) == some()
    assert [file.name for file in path.parent.iterdir()] == ["step.json"]


def test_results_from_before_there_were_peers_are_read(tmp_path):
    path = results.write(some(), tmp_path)
    raw = json.loads(path.read_text())
    del raw["records"][0]["peers_at_most"]
    path.write_text(json.dumps(raw))
    assert results.read(path).records[0].peers_at_most == {}


def test_a_missing_file_says_what_makes_it(tmp_path):
    with pytest.raises(MissingError, match="python -m benchmarks step"):
        results.read(tmp_path / "step.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"records": []}', '{"records": [{"about": 1}]}'])
def test_a_file_of_something_else_is_refused(tmp_path, text):
    path = tmp_path / "step.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"step.json must hold results"):
        results.read(path)


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a folder that can be written to"):
        results.write(some(), tmp_path / "file")


def test_axes_are_put_in_order():
    records = [
        Record({"axis": axis, "size": size}, {}) for axis, size in (("batch", 4), ("pixels", 1), ("batch", 2))
    ]
    found = axes(Results("scaling", {}, {}, records))
    assert {axis: [size for size, _ in sizes] for axis, sizes in found.items()} == {
        "batch": [2, 4],
        "pixels": [1],
    }


def test_json_is_plain(tmp_path):
    raw = json.loads(results.write(some(), tmp_path).read_text())
    assert raw["records"][0]["samples"] == {"npnet": [1.0, 2.0]}
