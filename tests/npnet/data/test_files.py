import subprocess
import sys
from pathlib import Path

import pytest

from npnet.data import data_folder, present
from npnet.data.cifar import CIFAR10
from npnet.data.download import _write_whole, download
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


def test_a_download_shows_progress_and_leaves_one_file(server, tmp_path, md5, capsys):
    folder, url = server
    content = bytes(range(256)) * 1000
    (folder / "a").write_bytes(content)
    download(url + "a", tmp_path / "new" / "deep" / "a", md5(content))
    assert (tmp_path / "new" / "deep" / "a").read_bytes() == content
    assert [path.name for path in (tmp_path / "new" / "deep").iterdir()] == ["a"]
    assert capsys.readouterr().out == ""


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
        _write_whole(tmp_path / "new" / "b", content)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MissingError, match="a is missing, and downloading"):
        download(server[1] + "a", tmp_path / "file" / "deep" / "a", "0" * 32)


def test_what_is_present(tmp_path, small_mnist):
    folder, _, _ = small_mnist
    assert present("digits", tmp_path)
    assert present("mnist", folder)
    (folder / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz").unlink()
    assert not present("mnist", folder)
    assert not any(present(name, folder) for name in ("cifar10", "cifar100", "signs"))
    (folder / CIFAR10.folder).mkdir()
    for file in CIFAR10.md5:
        assert not present("cifar10", folder)
        (folder / CIFAR10.folder / file).touch()
    assert present("cifar10", folder)
    with pytest.raises(InputError, match="name must be one of digits, mnist, cifar10, cifar100, signs"):
        present("imagenet", folder)


def test_nothing_heavy_is_imported_before_it_is_needed():
    heavy = ("torch", "torchvision", "sklearn", "pooch", "requests", "rich", "PIL", "matplotlib")
    code = f"import sys, npnet.data; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
