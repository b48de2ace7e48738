import gzip
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import npnet.data
from npnet._lock import Lock
from npnet.data import data_folder, present
from npnet.data._pickled import read_pickled
from npnet.data.cifar import CIFAR10
from npnet.data.download import SECONDS_BETWEEN_LOOKS, _write, download, download_archive
from npnet.data.files import MOST_BYTES, exists, read_bytes
from npnet.data.idx import read_idx
from npnet.data.published import PUBLISHED
from npnet.data.signs import read_signs
from npnet.errors import InputError, MissingError


def test_the_data_folder_is_the_first_one_named(monkeypatch, tmp_path):
    monkeypatch.setenv("NPNET_DATA", str(tmp_path))
    assert data_folder("given") == Path("given")
    assert data_folder() == tmp_path
    monkeypatch.setenv("NPNET_DATA", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert data_folder() == tmp_path / "home" / ".cache" / "npnet"
    assert data_folder("~/photos") == tmp_path / "home" / "photos"


@pytest.fixture
def homeless(monkeypatch):
    """Be somebody whom the system does not know, as in many containers."""
    pwd = pytest.importorskip("pwd")

    def unknown(*_):
        raise KeyError("no such user")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("NPNET_DATA", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(pwd, "getpwnam", unknown)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_the_message_says_what_to_name():
    readers = [each.load for each in PUBLISHED.values() if each.files]
    for ask in (data_folder, *readers, lambda: data_folder("~nouser/data")):
        with pytest.raises(InputError, match=r"data_folder: folder must be given, .* NPNET_DATA, .* --data"):
            ask()
    assert data_folder("here") == Path("here")


@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_only_the_digits_are_present(monkeypatch):
    assert [name for name in PUBLISHED if present(name)] == ["digits"]
    monkeypatch.setenv("NPNET_DATA", "~nouser")
    with pytest.raises(InputError, match="~nouser"):
        present("mnist")


READERS = {
    "bytes": read_bytes,
    "idx": read_idx,
    "pickled": lambda path: read_pickled(path, "0" * 32),
    "csv": read_signs,
    "archive": lambda path: download_archive("nowhere", path, "0" * 32, {"a": "0" * 32}),
}


def place_pipe(path):
    os.mkfifo(path)


def place_huge(path):
    path.touch()
    os.truncate(path, 10**12)  # a hole: it takes no room on the disk


ODD = {
    "a folder": (Path.mkdir, "must be a file, got a folder"),
    "a pipe": (place_pipe, "must be a file, got a named pipe"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "must be a file, got a device"),
    "a huge file": (place_huge, "must be of at most 256 MiB, got 953674 MiB"),
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_file_to_be_read_is_refused_at_once(tmp_path, odd, reader):
    place, message = ODD[odd]
    place(tmp_path / "a")
    with pytest.raises(InputError, match=f"a {message}"):
        READERS[reader](tmp_path / "a")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this system has no sockets with names")
def test_a_socket_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as open_socket:
        open_socket.bind("a")
        with pytest.raises(InputError, match="must be a file, got a socket"):
            read_bytes(tmp_path / "a")


@pytest.mark.parametrize("reader", [name for name in READERS if name != "archive"])
def test_paths_the_system_cannot_follow_are_refused(tmp_path, reader):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for path in (tmp_path / "a", tmp_path / ("n" * 300), tmp_path / ("d/" * 3000)):
        assert not exists(path)
        with pytest.raises(InputError, match="cannot read "):
            READERS[reader](path)
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "a", tmp_path / "nothing"):
        with pytest.raises(MissingError, match=r"there is no file|is missing; get"):
            READERS[reader](path)


@pytest.mark.parametrize("name", [name for name, each in PUBLISHED.items() if each.files])
def test_nothing_is_present_where_nothing_can_be(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    for folder in (tmp_path / "loop", tmp_path / "file", tmp_path / ("n" * 300)):
        assert not present(name, folder)


@pytest.fixture
def rights_bind(tmp_path):
    """Tell whether the system keeps this process out of what it has no rights to: not the superuser's."""
    (tmp_path / "closed").touch(mode=0)
    return not os.access(tmp_path / "closed", os.R_OK)


def test_a_file_that_may_not_be_read_is_named(tmp_path, rights_bind):
    if not rights_bind:
        pytest.skip("the superuser may read all")
    (tmp_path / "a").touch(mode=0)
    with pytest.raises(InputError, match=r"cannot read .*a: Permission denied"):
        read_bytes(tmp_path / "a")


def test_a_file_that_says_it_is_empty_is_read_no_further_than_allowed(tmp_path):
    """Between the look at its size and the reading a file can grow."""
    (tmp_path / "a").write_bytes(bytes(100))
    with pytest.raises(InputError, match="at most 99 bytes, got 100"):
        read_bytes(tmp_path / "a", most=99)
    assert len(read_bytes(tmp_path / "a", most=100)) == 100
    if Path("/proc/self/status").exists():
        with pytest.raises(InputError, match="at most 9 bytes, got more"):
            read_bytes(Path("/proc/self/status"), most=9)


def test_little_that_unpacks_to_very_much_is_refused(tmp_path, monkeypatch):
    from npnet.data import files

    bomb = gzip.compress(bytes(10**6))
    (tmp_path / "a.gz").write_bytes(bomb)
    with pytest.raises(InputError, match="at most 999999 bytes unpacked"):
        files.unzip(tmp_path / "a.gz", bomb, most=10**6 - 1)
    assert len(files.unzip(tmp_path / "a.gz", bomb, most=10**6)) == 10**6
    many = gzip.compress(bytes(1 << 20)) * (MOST_BYTES // (1 << 20) + 1)  # small pieces, one after the other
    (tmp_path / "a.gz").write_bytes(many)
    with pytest.raises(InputError, match=f"at most {MOST_BYTES} bytes unpacked, got more"):
        read_idx(tmp_path / "a.gz")


@pytest.mark.parametrize("load", [each.load for each in PUBLISHED.values() if each.files])
def test_a_validation_part_without_generator_is_refused_before_anything_is_fetched(tmp_path, load):
    with pytest.raises(InputError, match="generator must be given where a validation part is held out"):
        load(tmp_path / "new", validation=0.1)
    with pytest.raises(InputError, match=r"below 1, got 1\.5"):
        load(tmp_path / "new", validation=1.5, generator=np.random.default_rng(0))
    assert not (tmp_path / "new").exists()


def test_a_folder_made_without_any_rights_is_removed_again(server, tmp_path, md5, rights_bind):
    """With a umask of 0777 what is made cannot be used, except by the superuser."""
    folder, url = server
    (folder / "a").write_bytes(b"a")
    before = os.umask(0o777)
    try:
        if rights_bind:
            with pytest.raises(MissingError, match=r"a is missing, and downloading .* \(PermissionError\)"):
                download(url + "a", tmp_path / "new" / "deep" / "a", md5(b"a"))
            with pytest.raises(MissingError, match="a is missing, and cannot be written: Permission denied"):
                _write(tmp_path / "new" / "deep" / "a", b"a")
            assert not (tmp_path / "new").exists()
        else:
            download(url + "a", tmp_path / "new" / "deep" / "a", md5(b"a"))
    finally:
        os.umask(before)


def test_an_interrupted_download_leaves_nothing(server, tmp_path, monkeypatch):
    folder, url = server
    (folder / "a").write_bytes(bytes(1 << 20))

    def interrupt(self, size):
        raise KeyboardInterrupt

    monkeypatch.setattr("npnet.data.download._Bar.update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download(url + "a", tmp_path / "new" / "a", "0" * 32)
    assert not (tmp_path / "new").exists()


def test_a_download_shows_progress_and_leaves_one_file(server, tmp_path, md5, capsys):
    folder, url = server
    content = bytes(range(256)) * 1000
    (folder / "a").write_bytes(content)
    download(url + "a", tmp_path / "new" / "deep" / "a", md5(content))
    assert (tmp_path / "new" / "deep" / "a").read_bytes() == content
    assert [path.name for path in (tmp_path / "new" / "deep").iterdir()] == ["a"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("arrives", [True, False])
def test_the_second_of_two_first_downloads_waits(server, tmp_path, md5, capsys, arrives):
    folder, url = server
    (folder / "a").write_bytes(b"of the server")
    path, log = tmp_path / "new" / "set.gz", []
    path.parent.mkdir()
    lock = Lock(path.with_name(".set.gz.lock"))
    assert lock.acquire()
    address = "nowhere" if arrives else url + "a"  # what has arrived is not fetched again
    second = threading.Thread(target=lambda: log.append(download(address, path, md5(b"of the server"))))
    second.start()
    second.join(3 * SECONDS_BETWEEN_LOOKS)
    assert second.is_alive()
    if arrives:
        path.write_bytes(b"by the first")
    lock.path.unlink()
    lock.release()
    second.join(30)
    assert log == [None]
    assert f"waiting for process {os.getpid()}, which downloads {path}\n" in capsys.readouterr().err
    assert list(path.parent.iterdir()) == [path]


def test_the_second_of_two_first_downloads_of_an_archive_finds_its_files(tmp_path):
    archive = tmp_path / "set.tar.gz"
    lock = Lock(tmp_path / ".set.tar.gz.lock")
    assert lock.acquire()
    log = []
    second = threading.Thread(target=lambda: log.append(download_archive("nowhere", archive, "", {"a": ""})))
    second.start()
    second.join(3 * SECONDS_BETWEEN_LOOKS)
    (tmp_path / "a").write_text("by the first")
    lock.release()
    second.join(30)
    assert log == [None]


def test_another_file_than_the_published_one_is_not_kept(server, tmp_path):
    folder, url = server
    (folder / "a").write_bytes(b"another")
    with pytest.raises(InputError, match="did not deliver the published file"):
        download(url + "a", tmp_path / "new" / "a", "0" * 32)
    assert not (tmp_path / "new").exists()


def test_a_file_the_server_has_not_is_missing(server, tmp_path):
    with pytest.raises(MissingError, match=r"a is missing, and downloading it from .* failed \(HTTPError\)"):
        download(server[1] + "a", tmp_path / "a", "0" * 32)


@pytest.fixture
def small_disk():
    """Let no file grow beyond 100 kB: what the system then says differs from a full disk's in a word."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing_behind(server, tmp_path, md5, request):
    folder, url = server
    content = bytes(200_000)
    (folder / "a").write_bytes(content)
    request.getfixturevalue("small_disk")
    with pytest.raises(MissingError, match=r"failed \(File too large\)"):
        download(url + "a", tmp_path / "new" / "a", md5(content))
    assert not (tmp_path / "new").exists()
    with pytest.raises(MissingError, match="b is missing, and cannot be written: File too large"):
        _write(tmp_path / "new" / "b", content)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MissingError, match="a is missing, and downloading"):
        download(server[1] + "a", tmp_path / "file" / "deep" / "a", "0" * 32)


def test_published_data_sets_are_functions_of_npnet_data():
    assert {"digits", "mnist", "cifar10", "cifar100", "signs"} <= PUBLISHED.keys()
    assert all(getattr(npnet.data, name) is each.load for name, each in PUBLISHED.items())


def test_what_is_present(tmp_path, small_mnist):
    folder, _, _ = small_mnist
    assert present("digits", tmp_path)
    assert present("mnist", folder)
    (folder / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz").unlink()
    assert not present("mnist", folder)
    assert not any(present(name, folder) for name in PUBLISHED.keys() - {"digits", "mnist"})
    (folder / CIFAR10.folder).mkdir()
    for file in CIFAR10.md5:
        assert not present("cifar10", folder)
        (folder / CIFAR10.folder / file).touch()
    assert present("cifar10", folder)
    with pytest.raises(InputError, match=f"name must be one of {', '.join(PUBLISHED)}, got"):
        present("imagenet", folder)


def test_nothing_heavy_is_imported_before_it_is_needed():
    heavy = ("torch", "torchvision", "sklearn", "pooch", "requests", "rich", "PIL", "matplotlib")
    code = f"import sys, npnet.data; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
