"""Rows for the readers of `npnet.data`, and for what samples data."""

import os
import tempfile
from pathlib import Path

import numpy as np

from npnet import data
from npnet.data.download import download, download_archive
from npnet.data.idx import read_idx
from npnet.data.published import PUBLISHED
from npnet.data.signs import read_signs
from npnet.errors import InputError, MissingError
from tests.wrong_values.table import CHOICE, DTYPE, FLAG, GENERATOR, POSITIVE, Row, without

FOLDER = Path(
    tempfile.gettempdir(), "npnet_wrong_values"
)  # holds what is no published file, so nothing is fetched
FILES = {name: b"" for each in PUBLISHED.values() for name in each.files}
FILES |= {"three.idx": b"\0\0\x08\x01\0\0\0\x03abc"}
FILES |= {
    "signs.csv": ",".join(["label", *(f"pixel{i}" for i in range(1, 785))]).encode()
    + b"\n"
    + b"0," * 784
    + b"0"
}
ANOTHER = ("published", "columns missing")  # said of a file that is not the published one
NOWHERE = "http://127.0.0.1:9/a"

PATH = [3, 1.5, ["a"], {}, b"a", "a\0b"]
WHOLE_PATH = [*PATH, None, ""]
TEXT = [None, 3, 1.5, ["a"], {}, b"a"]
VALIDATION = ["0.1", [0.1], True, 1j, -1, 0, 0.0, 1.5, -0.5, float("nan"), np.array([0.1, 0.2])]


def place():
    for name, content in FILES.items():
        path = FOLDER / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f"{path.name}.{os.getpid()}")
            temporary.write_bytes(content)
            temporary.replace(path)
    return FOLDER


def published(reader):
    """Return a reader that has seen its arguments when it says that the file is not the published one."""

    def read(folder, validation, generator):
        try:
            reader(folder, validation=validation, generator=generator)
        except InputError as error:
            if not any(words in str(error) for words in ANOTHER):
                raise

    good = lambda: {"folder": place(), "validation": 0.5, "generator": np.random.default_rng(0)}  # noqa: E731
    wrong = {"folder": PATH, "validation": VALIDATION, "generator": [*GENERATOR, None]}
    return Row(f"data.{reader.__name__}", read, good, wrong)


def fetched(function):
    """Return the function, which has seen its arguments when it says that nobody answers."""

    def download(url, path, md5):
        try:
            function(url, path, md5)
        except MissingError as error:
            if "downloading" not in str(error):
                raise

    return download


def fetch_archive(url, archive, md5, members):
    return fetched(lambda url, archive, md5: download_archive(url, archive, md5, members))(url, archive, md5)


def numbers(*names):
    return dict.fromkeys(names, 2) | {"generator": np.random.default_rng(0), "dtype": np.float64}


COUNTS = ("nclasses", "nsamples")
ROWS = [
    *(published(each.load) for each in PUBLISHED.values() if each.files),
    Row("data.data_folder", data.data_folder, lambda: {"folder": Path("a")}, {"folder": PATH}),
    Row(
        "data.present",
        data.present,
        lambda: {"name": "digits", "folder": place()},
        {"name": [*CHOICE, ""], "folder": PATH},
    ),
    Row(
        "data.digits",
        data.digits,
        lambda: {"generator": np.random.default_rng(0), "validation": 100, "standardized": np.True_},
        {"generator": [None, *GENERATOR], "validation": VALIDATION, "standardized": [None, *FLAG]},
    ),
    Row(
        "data.sample_gauss_2d",
        data.sample_gauss_2d,
        lambda: numbers(*COUNTS) | {"nclasses": np.uint8(200)},
        dict.fromkeys(COUNTS, POSITIVE) | {"generator": [None, *GENERATOR], "dtype": DTYPE},
    ),
    Row(
        "data.sample_gmm_2d",
        data.sample_gmm_2d,
        lambda: numbers("ncomponents", *COUNTS) | {"ncomponents": np.uint8(200), "nsamples": np.uint8(2)},
        dict.fromkeys(("ncomponents", *COUNTS), POSITIVE) | {"generator": [None, *GENERATOR], "dtype": DTYPE},
    ),
    Row(
        "data.idx.read_idx",
        read_idx,
        lambda: {"path": place() / "three.idx", "md5": None},
        {"path": WHOLE_PATH, "md5": without(TEXT, None)},
    ),
    Row("data.signs.read_signs", read_signs, lambda: {"path": place() / "signs.csv"}, {"path": WHOLE_PATH}),
    Row(
        "data.download.download",
        fetched(download),
        lambda: {"url": NOWHERE, "path": FOLDER / "nothing" / "a", "md5": "0"},
        {"url": TEXT, "path": WHOLE_PATH, "md5": TEXT},
    ),
    Row(
        "data.download.download_archive",
        fetch_archive,
        lambda: {"url": NOWHERE, "archive": FOLDER / "nothing" / "a", "md5": "0", "members": {"a": "0"}},
        {
            "url": TEXT,
            "archive": WHOLE_PATH,
            "md5": TEXT,
            "members": [None, 3, "a", ["a"], {"a": 3}, {3: "a"}],
        },
    ),
]
