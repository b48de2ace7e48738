"""CIFAR-10 and CIFAR-100: 60 000 small colour photographs in 10 or 100 classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet.data import files
from npnet.data._images import check_held_out, outside, unit_range
from npnet.data._pickled import read_pickled
from npnet.data.dataset import ArrayDataset
from npnet.data.files import data_folder
from npnet.data.image_format import ImageFormat
from npnet.data.published import published
from npnet.data.split import Size, hold_out
from npnet.data.splits import Splits
from npnet.errors import InputError


@dataclass(frozen=True)
class Release:
    """One of the two data sets as published: its archive, the files in it, and their checksums."""

    name: str
    url: str
    archive_md5: str
    folder: str
    md5: Mapping[str, str]
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    labels_key: str
    names_key: str
    classes: int

    @property
    def files(self) -> tuple[str, ...]:
        """Where its files lie in the data folder."""
        return tuple(f"{self.folder}/{file}" for file in self.md5)


CIFAR10 = Release(
    name="cifar10",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    archive_md5="c58f30108f718f92721af3b95e74349a",
    folder="cifar-10-batches-py",
    md5={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
        "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    },
    train=tuple(f"data_batch_{i}" for i in range(1, 6)),
    test=("test_batch",),
    meta="batches.meta",
    labels_key="labels",
    names_key="label_names",
    classes=10,
)
CIFAR100 = Release(
    name="cifar100",
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    archive_md5="eb9058c3a382ffc7106e4002c42a8d85",
    folder="cifar-100-python",
    md5={
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        "meta": "7973b15100ade9c7d40fb424638fde48",
    },
    train=("train",),
    test=("test",),
    meta="meta",
    labels_key="fine_labels",
    names_key="fine_label_names",
    classes=100,
)


@published(*CIFAR10.files, download="170 MB")
def cifar10(
    folder: str | PathLike[str] | None = None,
    *,
    validation: Size | None = None,
    generator: Generator | None = None,
) -> Splits[ArrayDataset]:
    """Return CIFAR-10: 50 000 training and 10 000 test photographs in 10 classes.

    The files are read from ``cifar-10-batches-py`` in the data folder. If one is missing, the archive
    (170 MB) is downloaded and unpacked.

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
        x is float32 of shape (n, 3, 32, 32), the published bytes divided by 255; channels are red, green,
        blue.

    Raises
    ------
    MissingError
        If a file is missing and cannot be downloaded.
    InputError
        If a file is damaged or not the published one. Checksums are verified before a file is interpreted.

    References
    ----------
    Krizhevsky, *Learning multiple layers of features from tiny images* (2009).
    """
    check_held_out("cifar10", validation, generator)
    return load(data_folder(folder), CIFAR10, validation, generator)


@published(*CIFAR100.files, download="169 MB")
def cifar100(
    folder: str | PathLike[str] | None = None,
    *,
    validation: Size | None = None,
    generator: Generator | None = None,
) -> Splits[ArrayDataset]:
    """Return CIFAR-100: 50 000 training and 10 000 test photographs in 100 fine classes.

    The files are read from ``cifar-100-python`` in the data folder. If one is missing, the archive (169 MB)
    is downloaded and unpacked.

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
        x is float32 of shape (n, 3, 32, 32), the published bytes divided by 255; channels are red, green,
        blue.

    Raises
    ------
    MissingError
        If a file is missing and cannot be downloaded.
    InputError
        If a file is damaged or not the published one. Checksums are verified before a file is interpreted.

    References
    ----------
    Krizhevsky, *Learning multiple layers of features from tiny images* (2009).
    """
    check_held_out("cifar100", validation, generator)
    return load(data_folder(folder), CIFAR100, validation, generator)


def load(
    place: Path, release: Release, validation: Size | None = None, generator: Generator | None = None
) -> Splits[ArrayDataset]:
    """Load a release from the data folder; download it first if a file is missing."""
    if not all(files.exists(place / file) for file in release.files):
        from npnet.data.download import download_archive  # noqa: PLC0415 - slow to import, seldom needed

        download_archive(
            release.url,
            place / release.url.rpartition("/")[2],
            release.archive_md5,
            {f"{release.folder}/{file}": md5 for file, md5 in release.md5.items()},
        )
    names = _class_names(place, release)
    train, held_out = hold_out(_part(place, release, release.train), validation, generator)
    test = _part(place, release, release.test)
    return Splits(train, held_out, test, classes=names, name=release.name, format=ImageFormat(32, 32))


def _class_names(place: Path, release: Release) -> tuple[str, ...]:
    path = place / release.folder / release.meta
    names = read_pickled(path, release.md5[release.meta]).get(release.names_key)
    if not isinstance(names, list) or len(names) != release.classes:
        raise InputError(f"{path} must name {release.classes} classes under {release.names_key!r}")
    return tuple(names)


def _part(place: Path, release: Release, files: Sequence[str]) -> ArrayDataset:
    batches = [_batch(place / release.folder / file, release, release.md5[file]) for file in files]
    pixels = np.concatenate([pixels for pixels, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    return ArrayDataset(unit_range(pixels.reshape(-1, 3, 32, 32)), labels)


def _batch(path: Path, release: Release, md5: str) -> tuple[ndarray, ndarray]:
    """Read one file: its rows are 1024 bytes of red, 1024 of green and 1024 of blue."""
    batch = read_pickled(path, md5)
    pixels, listed = batch.get("data"), batch.get(release.labels_key)
    if not isinstance(pixels, ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
        raise InputError(f"{path} must hold uint8 of shape ('n', 3072) under 'data'")
    if not isinstance(listed, list) or not all(type(label) is int for label in listed):
        raise InputError(f"{path} must hold a list of integers under {release.labels_key!r}")
    if len(pixels) != len(listed):
        raise InputError(f"{path} holds {len(pixels)} images, but {len(listed)} labels")
    labels = np.array(listed, dtype=np.int64)
    wrong = outside(labels, release.classes)
    if wrong is not None:
        raise InputError(f"{path}: label {wrong} must be 0..{release.classes - 1}, got {listed[wrong]}")
    return pixels, labels
