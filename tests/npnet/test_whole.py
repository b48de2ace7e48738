import os
import stat
import threading

import pytest

from npnet._whole import remove_unfinished, unfinished_name, whole


def test_a_file_has_its_name_only_once_it_is_whole(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with whole(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fails():
        with whole(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_flushed_before_it_gets_its_name_and_the_name_after_it(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _descriptor: seen.append((tmp_path / "a").exists()))
    with whole(tmp_path / "a") as file:
        file.write(b"new")
    assert seen == [False, True]


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX systems")
def test_permissions_are_ordinary(tmp_path):
    before = os.umask(0o027)
    try:
        with whole(tmp_path / "a") as file:
            file.write(b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_written_into_and_stays_one(tmp_path):
    path, got = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    with whole(path) as file:
        file.write(b"through")
    reader.join(10)
    assert got == [b"through"]
    assert path.is_fifo()


def test_only_what_is_unfinished_is_removed(tmp_path):
    others = {".settings.tmp", ".config.tmp", "a.tmp", "0a1b2c3d.tmp", ".0a1b2c3d.tmp.txt"}
    for name in (".0a1b2c3d.tmp", unfinished_name(), unfinished_name(64), *others):
        (tmp_path / name).touch()
    remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == others
    assert [len(unfinished_name(length)) for length in (13, 64)] == [13, 64]
