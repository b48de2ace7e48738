import json
from pathlib import Path

import pytest

from npnet import run
from npnet.errors import InputError
from npnet.run import RunFolder, newest_unfinished


def test_runs_of_one_second_have_folders_of_their_own(tmp_path):
    paths = {RunFolder(tmp_path, "digits").path for _ in range(3)}
    assert len(paths) == 3


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    folder = RunFolder(tmp_path, "digits")

    def half(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"figure.png cannot be written \(No space left on device\)"):
        folder.write("figure.png", half)
    assert not list(folder.path.iterdir())


def test_a_run_that_learnt_nothing_leaves_nothing(tmp_path):
    out = tmp_path / "new" / "runs"

    def fails():
        with RunFolder(out, "digits") as folder:
            folder.write_json("settings.json", {})
            raise InputError("no such data")

    with pytest.raises(InputError, match="no such data"):
        fails()
    assert not list(tmp_path.iterdir())


def test_discarding_leaves_what_was_there_before(tmp_path):
    kept = RunFolder(tmp_path, "digits")
    kept.write_json("settings.json", {})
    RunFolder(tmp_path, "digits").discard()
    assert list((tmp_path / "digits").iterdir()) == [kept.path]


@pytest.mark.parametrize(
    ("error", "status"),
    [(InputError("the loss became nan"), "failed"), (KeyboardInterrupt(), "interrupted")],
)
def test_a_run_that_broke_off_says_so(tmp_path, error, status):
    folder = RunFolder(tmp_path, "digits")

    def breaks_off():
        with folder:
            assert json.loads((folder.path / "result.json").read_text()) == {"status": "running"}
            folder.append_jsonl("metrics.jsonl", {"epoch": 1})
            raise error

    with pytest.raises(type(error)):
        breaks_off()
    assert json.loads((folder.path / "result.json").read_text())["status"] == status


def test_a_folder_that_cannot_be_begun_is_not_left(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "new", "digits")
    monkeypatch.setattr(RunFolder, "write_json", lambda *_: (_ for _ in ()).throw(InputError("full")))

    def begins():
        with folder:
            pytest.fail("it began")

    with pytest.raises(InputError, match="full"):
        begins()
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written_any_more_it_still_says_how_it_ended(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path, "digits")

    def is_full(*_):
        raise InputError("no space left")

    def breaks_off():
        with folder:
            folder.append_jsonl("metrics.jsonl", {"epoch": 1})
            monkeypatch.setattr(folder, "write", is_full)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaks_off()
    assert json.loads((folder.path / "result.json").read_text()) == {"status": "interrupted"}


def test_a_path_that_is_no_text_is_written_as_json_writes_it(tmp_path):
    folder = RunFolder(tmp_path, "digits")
    folder.write_json("result.json", {"path": "caf\udce9", "word": "λ"})
    text = (folder.path / "result.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"path": "caf\udce9", "word": "λ"}
    assert "λ" in text


def test_lines_are_counted(tmp_path):
    folder = RunFolder(tmp_path, "digits")
    folder.append_jsonl("metrics.jsonl", {"loss": 1})
    folder.append_jsonl("metrics.jsonl", {"loss": Ellipsis})
    assert folder.noted == 2


def test_the_next_run_removes_the_checkpoints_of_one_killed_after_it_had_finished(tmp_path):
    killed = RunFolder(tmp_path, "digits")
    killed.write_json("result.json", {"status": "finished"})
    killed.checkpoints("numpy").mkdir(parents=True)
    (killed.path / ".lock").touch()
    RunFolder(tmp_path, "digits")
    assert {path.name for path in killed.path.iterdir()} == {"result.json"}


def test_a_folder_in_which_a_killed_run_had_not_begun_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "A_WHILE", -1.0)
    killed = [RunFolder(tmp_path, "digits").path for _ in range(2)]
    (killed[1] / ".lock").touch()
    (killed[1] / ".0a1b2c3d.tmp").touch()
    with pytest.raises(InputError, match="there is no run"):
        newest_unfinished(tmp_path)
    assert not any(path.exists() for path in killed)


@pytest.mark.parametrize("killed_at", ["rename", "unlink"])
def test_a_folder_whose_run_was_killed_while_it_tried_to_write_is_removed(tmp_path, monkeypatch, killed_at):
    """What it tries with has the longest name of all, so that a folder too deep is found out at once."""

    def killed(path, *_):
        left.append(path.name)
        if killed_at == "rename":
            raise KeyboardInterrupt

    left = []
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        if killed_at == "rename":
            patch.setattr(Path, "rename", killed)
            with pytest.raises(KeyboardInterrupt):
                RunFolder(tmp_path, "digits")
        else:
            RunFolder(tmp_path, "digits")
    (folder,) = tmp_path.glob("digits/*")
    assert {path.name for path in folder.iterdir()} <= set(left)
    assert {len(name) for name in left} == {run.LONGEST_NAME}
    monkeypatch.setattr(run, "A_WHILE", -1.0)
    with pytest.raises(InputError, match="there is no run"):
        newest_unfinished(tmp_path)
    assert not folder.exists()


def test_what_is_no_leftover_is_not_removed(tmp_path, monkeypatch):
    """A run just made, one under way, one that can be resumed, and a folder of the user's own."""
    just_made = RunFolder(tmp_path, "digits")
    RunFolder(tmp_path, "digits")
    assert just_made.path.exists()
    monkeypatch.setattr(run, "A_WHILE", -1.0)
    stopped = RunFolder(tmp_path, "digits")
    stopped.write_json("options.json", {})
    stopped.checkpoints("numpy").mkdir(parents=True)
    (stopped.path / ".lock").touch()
    own = tmp_path / "digits" / "2026-05-09T08-24-00Z"
    own.mkdir()
    (own / "notes.txt").touch()
    (tmp_path / "digits" / "empty").mkdir()
    with RunFolder(tmp_path, "digits") as under_way:
        RunFolder(tmp_path, "digits")
        assert under_way.path.exists()
    assert (stopped.path / "checkpoints" / "numpy").exists()
    assert (own / "notes.txt").exists()
    assert (tmp_path / "digits" / "empty").exists()


def test_what_a_killed_run_left_half_written_is_removed_when_it_goes_on(tmp_path):
    folder = RunFolder(tmp_path, "digits")
    (folder.path / ".0a1b2c3d.tmp").write_bytes(b"half")
    with folder:
        assert not list(folder.path.glob(".*.tmp"))
