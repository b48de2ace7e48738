"""Small data files in the published formats, and a server to download them from."""

import functools
import gzip
import hashlib
import http.server
import os
import pickle
import struct
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

NOWHERE = "http://127.0.0.1:9/"  # nobody listens on the discard port: a download from there fails at once


@pytest.fixture
def nowhere():
    return NOWHERE


@pytest.fixture(scope="session")
def real_data():
    """Return the folder that NPNET_DATA names."""
    if not os.environ.get("NPNET_DATA"):
        pytest.skip("NPNET_DATA names no folder with the real data")
    return Path(os.environ["NPNET_DATA"])


@pytest.fixture
def md5():
    return lambda content: hashlib.md5(content).hexdigest()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve a folder over HTTP; the value is the folder and its address."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "server"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder)
    ) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()
        thread.join()


@pytest.fixture
def idx():
    """Return the function that writes an array in the IDX format."""
    codes = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}

    def write(array):
        code = codes[array.dtype.str[1:]]
        header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
        return header + np.asarray(array, array.dtype.newbyteorder(">")).tobytes()

    return write


@pytest.fixture
def small_mnist(tmp_path, idx, md5):
    """Write MNIST with 30 and 10 images; the value is the folder, the arrays and the checksums."""
    rng = np.random.default_rng(0)
    arrays, checksums = {}, {}
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 30), ("t10k", 10)):
        arrays[part] = (
            rng.integers(256, size=(n, 28, 28), dtype=np.uint8),
            np.resize(np.arange(10, dtype=np.uint8), n),
        )
        for kind, array in zip(("images-idx3", "labels-idx1"), arrays[part], strict=True):
            name, content = f"{part}-{kind}-ubyte", idx(array)
            packed = gzip.compress(content)
            (raw / f"{name}.gz").write_bytes(packed)
            checksums |= {name: md5(content), f"{name}.gz": md5(packed)}
    return tmp_path / "data", arrays, checksums


class _Python2Pickler(pickle._Pickler):
    """Write pickles as Python 2 did: texts and bytes alike as byte strings, flags as numbers."""

    def save_text(self, text):
        content = text.encode("latin1") if isinstance(text, str) else text
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)

    def save_flag(self, flag):
        self.write(pickle.BININT1 + bytes([flag]))

    dispatch = pickle._Pickler.dispatch | {str: save_text, bytes: save_text, bool: save_flag}


@pytest.fixture
def python2_pickle(tmp_path):
    """Return the function that pickles as the published files are pickled."""

    def dump(value):
        path = tmp_path / "pickled"
        with path.open("wb") as file:
            _Python2Pickler(file, protocol=2).dump(value)
        return path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")

    return dump


@pytest.fixture
def small_cifar(tmp_path, python2_pickle, md5):
    """Return the function that writes a small release of CIFAR-10 or CIFAR-100 into a folder."""

    def write(release, rows=20):
        from dataclasses import replace

        rng = np.random.default_rng(0)
        folder = tmp_path / "data" / release.folder
        folder.mkdir(parents=True)
        checksums = {}
        for file in release.md5:
            if file == release.meta:
                value = {release.names_key: [f"class {i}" for i in range(release.classes)], "num_vis": 3072}
            else:
                value = {
                    "batch_label": file,
                    release.labels_key: rng.integers(release.classes, size=rows).tolist(),
                    "data": rng.integers(256, size=(rows, 3072), dtype=np.uint8),
                }
            content = python2_pickle(value)
            (folder / file).write_bytes(content)
            checksums[file] = md5(content)
        return tmp_path / "data", replace(release, md5=checksums, url=NOWHERE + "small.tar.gz")

    return write


@pytest.fixture
def pack():
    """Return the function that packs a folder into a tar archive."""

    def write(archive, folder):
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(folder, folder.name)
        return archive.read_bytes()

    return write
