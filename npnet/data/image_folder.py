"""One's own pictures: a folder for each class as splits to learn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet._regular import path_of
from npnet._words import counted
from npnet.data._image_file import MODES, SUFFIXES, pillow, read_size
from npnet.data._parts import check_size, cut, default_generator, splits_of
from npnet.data._table import shown_names
from npnet.data.dataset import ArrayDataset
from npnet.data.formats import MOST_PIXELS, ImageFormat
from npnet.data.report import Report
from npnet.data.split import Size
from npnet.data.splits import Splits
from npnet.errors import InputError, MissingError

DAMAGED = ("refuse", "skip")
PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
MOST_BYTES = 2**34  # of all pictures together, as float32
DEEPEST = 32  # folders within a class


@dataclass(frozen=True)
class Picture:
    """A file and what is in it: the part it belongs to, "" where that is to be drawn, and its class."""

    path: Path
    part: str
    label: str


def image_folder(
    path: str | PathLike[str],
    size: int | tuple[int, int] | None = None,
    *,
    mode: str = "RGB",
    damaged: str = "refuse",
    validation: Size | None = 0.2,
    test: Size | None = 0.2,
    standardized: bool = True,
    generator: Generator | None = None,
) -> Splits[ArrayDataset]:
    """Read a folder that has one folder of pictures for each class, as torchvision's ``ImageFolder`` does.

    A folder with folders ``train``, ``val`` and ``test`` is cut into parts already; a part that is not
    there is taken out of the training part. Files whose names begin with a dot are passed over, and so are
    those that do not end like a picture. Print what is returned to see what was found.

    Parameters
    ----------
    path : str or path
        ``path/class/….png``, or ``path/train/class/….png``; also jpg, bmp, gif, tif, webp, ppm. Folders
        within a class belong to it.
    size : int or (height, width), optional
        What all pictures are brought to, smoothly; the ratio of their sides is not kept. Without it they
        must all have one size.
    mode : "RGB" or "L"
        Three channels, or one of grey.
    damaged : "refuse" or "skip"
        What happens to a file that is no picture or is damaged: the first one is refused by its name, or all
        are left out and named in the report.
    validation, test : float, int or None
        What part of the pictures the two become, stratified by class: a fraction, a number, or none.
    standardized : bool
        Whether x is standardised by the training part's mean and deviation, channel by channel; otherwise
        it lies in [0, 1].
    generator : numpy.random.Generator, optional
        Decides which pictures are held out; by default one of seed 0, so that the parts are always the same.

    Returns
    -------
    Splits
        x float32 of shape (n, c, h, w), y the place of the class among `classes`, the names of the folders
        in order. `format` and `standardization` bring pictures yet to come to the same form, and `report`
        says what was found.

    Raises
    ------
    MissingError
        If there is no such folder, or Pillow is not installed.
    InputError
        If there are fewer than two classes, one is empty, a picture is damaged, or a size does not fit.

    Notes
    -----
    Pictures are turned as the camera noted, what is transparent is shown on white, grey of 16 bits keeps
    them. A file may have up to 256 MiB and 2²⁷ pixels; pipes and devices are never opened.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, grey in (("dark", 20), ("light", 230)):
    ...         Path(folder, name).mkdir()
    ...         for i in range(10):
    ...             Image.new("L", (8, 8), grey + i).save(Path(folder, name, f"{i}.png"))
    ...     splits = image_folder(folder, mode="L")
    >>> splits.classes, splits.input_shape, [len(part) for part in splits.parts().values()]
    (('dark', 'light'), (1, 8, 8), [12, 4, 4])
    """
    owner = "image_folder"
    root = path_of(owner, path)
    wanted = _size(owner, size)
    check.choice(owner, "mode", mode, tuple(MODES))
    check.choice(owner, "damaged", damaged, DAMAGED)
    for name, part in (("validation", validation), ("test", test)):
        check_size(owner, name, part)
    standardized = check.flag(owner, "standardized", standardized)
    chosen = default_generator(owner, generator)
    pillow(owner)

    remarks: list[str] = []
    pictures, classes = _find(owner, root, remarks)
    first = wanted or _common_size(owner, pictures, damaged)
    image_format = ImageFormat(*first, mode)
    x, kept = _read(owner, pictures, image_format, damaged, remarks)
    y = np.array([classes.index(picture.label) for picture in kept], np.int64)
    _check_every_class(owner, root, y, classes)
    places = _places(owner, kept, y, {"validation": validation, "test": test}, chosen, remarks)
    parts = {name: ArrayDataset(x[rows], y[rows]) for name, rows in places.items()}
    title = f"{counted(len(kept), 'picture')} of {len(classes)} classes, {first[0]}×{first[1]}, {mode}"
    return splits_of(
        owner,
        parts,
        classes=classes,
        name=root.resolve().name,
        standardized=standardized,
        format=image_format,
        report=Report(title, remarks=tuple(remarks)),
    )


# ---- finding -------------------------------------------------------------------------------------------


def _size(owner: str, size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    if isinstance(size, tuple | list):
        if len(size) != 2:
            raise InputError(f"{owner}: size must be a positive integer or (height, width), got {size!r:.60}")
        height, width = (check.integer(owner, "size", value, least=1) for value in size)
    else:
        height = width = check.integer(owner, "size", size, least=1)
    if height * width > MOST_PIXELS:
        raise InputError(f"{owner}: size must be of at most {MOST_PIXELS} pixels, got {height} by {width}")
    return height, width


def _find(owner: str, root: Path, remarks: list[str]) -> tuple[list[Picture], tuple[str, ...]]:
    """Return the pictures, class by class, and the names of the classes."""
    if not root.exists():
        raise MissingError(f"{owner}: there is no folder {root}")
    folders = _folders(owner, root)
    ready = _ready_parts(owner, folders)
    trees = ready or {"": root}
    by_part = {part: _folders(owner, tree) for part, tree in trees.items()}
    classes = tuple(sorted({folder.name for found in by_part.values() for folder in found}))
    if len(classes) < 2:
        shown = shown_names(classes) or "none"
        raise InputError(f"{owner}: {root} must have a folder for each of two classes or more, got {shown}")
    if ready:
        train = {folder.name for folder in by_part["train"]}
        unknown = [name for name in classes if name not in train]
        if unknown:
            raise InputError(
                f"{owner}: {trees['train']} must have a folder for each class, {unknown[0]!r} is missing"
            )
        remarks.append(
            f"the parts are those of the folders {', '.join(tree.name for tree in ready.values())}"
        )
    pictures, others = [], 0
    for part, found in by_part.items():
        for folder in found:
            files = list(_files(owner, folder))
            chosen = [file for file in files if file.suffix.lower() in SUFFIXES]
            others += len(files) - len(chosen)
            if not chosen:
                raise InputError(
                    f"{owner}: {folder} must hold pictures, got none; it would be the class {folder.name!r}"
                )
            pictures += [Picture(file, part, folder.name) for file in chosen]
    if others:
        what = f"{counted(others, 'file')} passed over that {'does' if others == 1 else 'do'}"
        remarks.append(f"{what} not end like a picture, such as .png or .jpg")
    return pictures, classes


def _folders(owner: str, root: Path) -> list[Path]:
    """Return the folders in a folder, those that are hidden left out."""
    return [entry for entry in _entries(owner, root) if entry.is_dir()]


def _entries(owner: str, folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except NotADirectoryError:
        raise InputError(f"{owner}: {folder} must be a folder, got a file") from None
    except OSError as error:
        raise InputError(f"{owner}: cannot read {folder}: {error.strerror or error}") from None


def _ready_parts(owner: str, folders: list[Path]) -> dict[str, Path]:
    """Return the folders of parts, if all there are are such, with folders in them."""
    found = {
        part: folder
        for part, names in PARTS.items()
        for folder in folders
        if folder.name.lower() in names and _folders(owner, folder)
    }
    return found if "train" in found and len(found) == len(folders) else {}


def pictures_in(owner: str, folder: Path) -> list[Path]:
    """Return the files of a folder, and of those within it, that end like a picture, in order."""
    return [file for file in _files(owner, folder) if file.suffix.lower() in SUFFIXES]


def _files(owner: str, folder: Path, above: tuple[tuple[int, int], ...] = ()) -> Iterator[Path]:
    """Yield what is in a folder and in those within it; a link that leads back up is not followed."""
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above or len(above) > DEEPEST:
        return
    for entry in _entries(owner, folder):
        if entry.is_dir():
            yield from _files(owner, entry, (*above, here))
        else:
            yield entry


# ---- reading -------------------------------------------------------------------------------------------


def _common_size(owner: str, pictures: list[Picture], damaged: str) -> tuple[int, int]:
    """Return the size that all pictures have."""
    first: tuple[Path, tuple[int, int]] | None = None
    for picture in pictures:
        try:
            size = read_size(picture.path)
        except InputError:
            if damaged == "refuse":
                raise
            continue
        if first is None:
            first = picture.path, size
        if size != first[1]:
            (h, w), (other_h, other_w) = first[1], size
            raise InputError(
                f"{owner}: size must be given, such as size=64, as pictures differ: {first[0]} is {h}×{w}, "
                f"{picture.path} is {other_h}×{other_w}"
            )
    if first is None:
        raise InputError(f"{owner}: no picture could be read")
    return first[1]


def _read(
    owner: str, pictures: list[Picture], image_format: ImageFormat, damaged: str, remarks: list[str]
) -> tuple[ndarray, list[Picture]]:
    needed = len(pictures) * int(np.prod(image_format.shape)) * 4
    if needed > MOST_BYTES:
        raise InputError(
            f"{owner}: size must be smaller: {len(pictures)} pictures would take {needed / 2**30:.0f} GiB, "
            f"at most {MOST_BYTES // 2**30} are read"
        )
    x = np.empty((len(pictures), *image_format.shape), np.float32)
    kept: list[Picture] = []
    skipped: list[str] = []
    for picture in pictures:
        try:
            x[len(kept)] = image_format.one(picture.path, owner="image")
        except InputError as error:
            if damaged == "refuse":
                raise InputError(f"{owner}: {error}; damaged='skip' leaves such files out") from None
            skipped.append(str(error))
        else:
            kept.append(picture)
    if skipped:
        remarks.append(f"{counted(len(skipped), 'damaged file')} left out:")
        remarks += skipped
    return x[: len(kept)], kept


def _check_every_class(owner: str, root: Path, y: ndarray, classes: tuple[str, ...]) -> None:
    counts = np.bincount(y, minlength=len(classes))
    empty = [name for name, count in zip(classes, counts, strict=True) if not count]
    if empty:
        raise InputError(
            f"{owner}: {root} must hold a picture of each class, none of {shown_names(empty)} can be read"
        )


def _places(
    owner: str,
    pictures: list[Picture],
    y: ndarray,
    sizes: dict[str, Size | None],
    generator: Generator,
    remarks: list[str],
) -> dict[str, ndarray]:
    """Return the places of the pictures of each part."""
    ready = {
        part: np.array([i for i, picture in enumerate(pictures) if picture.part == part])
        for part in {picture.part for picture in pictures}
    }
    if "" in ready:
        return cut(owner, y, sizes, generator, stratify=True)
    if "train" not in ready:
        raise InputError(f"{owner}: no picture of the training part can be read")
    wanted = {part: size for part, size in sizes.items() if part not in ready and size is not None}
    if not wanted:
        return {part: ready[part] for part in ("train", *sizes) if part in ready}
    remarks.append(f"taken out of the training part: {', '.join(wanted)}")
    places = cut(owner, y[ready["train"]], wanted, generator, stratify=True)
    drawn = ready | {part: ready["train"][rows] for part, rows in places.items()}
    return {part: drawn[part] for part in ("train", *sizes) if part in drawn}
