import json

import pytest

from npnet.errors import InputError
from npnet.run import RunFolder


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
