"""MNIST: 70 000 handwritten digits."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet.data import files
from npnet.data._images import check_held_out, outside, unit_range
from npnet.data.dataset import ArrayDataset
from npnet.data.files import data_folder
from npnet.data.idx import read_idx
from npnet.data.image_format import ImageFormat
from npnet.data.published import published
from npnet.data.split import Size, hold_out
from npnet.data.splits import Splits
from npnet.errors import InputError

FOLDER = "MNIST/raw"
URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
# Of the compressed files, and of the same files decompressed.
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@published(*(f"{FOLDER}/{name}" for name in MD5 if name.endswith(".gz")), download="11 MB")
def mnist(
    folder: str | PathLike[str] | None = None,
    *,
    validation: Size | None = None,
    generator: Generator | None = None,
) -> Splits[ArrayDataset]:
    """Return MNIST: 60 000 training and 10 000 test images of handwritten digits.

    The files are read from ``MNIST/raw`` in the data folder, compressed or not. Missing files are
    downloaded (11 MB in all).

    Parameters
    ----------
    folder : path, optional
        The data folder; see `npnet.data.data_folder`.
    validation : float or int, optional
        Size of the validation part, taken from the training part and stratified by class: a fraction or a
        number of samples.
    generator : numpy.random.Generator, optional
        Decides which samples are taken; required with `validation`.

    Returns
    -------
    Splits
        x is float32 of shape (n, 1, 28, 28), the published bytes divided by 255; y is the digit.

    Raises
    ------
    MissingError
        If a file is missing and cannot be downloaded.
    InputError
        If a file is damaged or not the published one.

    References
    ----------
    LeCun, Cortes, Burges, *The MNIST database of handwritten digits* (1998).
    """
    check_held_out("mnist", validation, generator)
    train, test = read(data_folder(folder), MD5, URL)
    train, held_out = hold_out(train, validation, generator)
    return Splits(
        train, held_out, test, classes=tuple("0123456789"), name="mnist", format=ImageFormat(28, 28, "L")
    )


def read(place: Path, md5: Mapping[str, str], url: str) -> tuple[ArrayDataset, ArrayDataset]:
    """Read the training and the test part; tests pass the checksums of small files."""
    return _part(place, "train", md5, url), _part(place, "t10k", md5, url)


def _find(place: Path, name: str) -> Path | None:
    candidates = (place / FOLDER / name, place / FOLDER / name.removesuffix(".gz"))
    return next((path for path in candidates if files.exists(path)), None)


def _obtain(place: Path, name: str, md5: Mapping[str, str], url: str) -> Path:
    found = _find(place, name)
    if found is None:
        found = place / FOLDER / name
        from npnet.data.download import download  # noqa: PLC0415 - slow to import, seldom needed

        download(url + name, found, md5[name])
    return found


def _part(place: Path, part: str, md5: Mapping[str, str], url: str) -> ArrayDataset:
    image_path = _obtain(place, f"{part}-images-idx3-ubyte.gz", md5, url)
    label_path = _obtain(place, f"{part}-labels-idx1-ubyte.gz", md5, url)
    images, labels = read_idx(image_path, md5[image_path.name]), read_idx(label_path, md5[label_path.name])
    _check_bytes(image_path, images, (28, 28))
    _check_bytes(label_path, labels, ())
    if len(images) != len(labels):
        raise InputError(
            f"{image_path} holds {len(images)} images, but {label_path} holds {len(labels)} labels"
        )
    wrong = outside(labels, 10)
    if wrong is not None:
        raise InputError(f"{label_path}: byte {8 + wrong} must be a label 0..9, got {labels[wrong]}")
    return ArrayDataset(unit_range(images[:, None]), labels.astype(np.int64))


def _check_bytes(path: Path, array: ndarray, sample: tuple[int, ...]) -> None:
    if array.dtype != np.uint8 or array.ndim == 0 or array.shape[1:] != sample:
        raise InputError(
            f"{path} must hold uint8 of shape {('n', *sample)}, got {array.dtype} of shape {array.shape}"
        )
