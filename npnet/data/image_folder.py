"""Your own images: read a folder for each class as training, validation and test parts."""

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
from npnet.data.image_format import MOST_PIXELS, ImageFormat
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
MOST_BYTES = 2**34  # size of all images together, as float32
DEEPEST = 32  # nested folders within a class


@dataclass(frozen=True)
class Picture:
    """An image file, its class, and its part; the part is "" if it is to be chosen at random."""

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
    """Read a folder that holds one folder of images for each class, like torchvision's ``ImageFolder``.

    If the folder holds folders ``train``, ``val`` and ``test``, these are the parts; a missing part is taken
    out of the training part. Otherwise all images are split at random. Hidden files and files without the
    suffix of an image are skipped. Print the result to see what was found.

    Parameters
    ----------
    path : str or path
        Images are ``path/class/….png`` or ``path/train/class/….png``; other formats are jpg, bmp, gif, tif,
        webp and ppm. Images in nested folders belong to the class above them.
    size : int or (height, width), optional
        All images are resized to this size with bilinear interpolation, without keeping their aspect ratio.
        By default they must all have the same size.
    mode : "RGB" or "L"
        Three colour channels, or one grey channel.
    damaged : "refuse" or "skip"
        How to treat a file that cannot be read as an image: "refuse" raises an error that names it, "skip"
        leaves all such files out and names them in the report.
    validation, test : float, int or None
        Size of each part: a fraction of the images, a number of images, or None for no such part. Both are
        stratified by class.
    standardized : bool
        Whether x is standardised with the training part's mean and standard deviation of each channel;
        otherwise it is in [0, 1].
    generator : numpy.random.Generator, optional
        Decides which images are held out. The default has seed 0, so that the parts are the same every time.

    Returns
    -------
    Splits
        x is float32 of shape (n, c, h, w), and y the index of the class in `classes`, the sorted names of the
        folders. `format` and `standardization` convert future images in the same way, and `report` says what
        was found.

    Raises
    ------
    MissingError
        If there is no such folder, or Pillow is not installed.
    InputError
        If there are fewer than two classes, a class has no images, an image is damaged, or a size does not
        fit.

    Notes
    -----
    Images are rotated as their EXIF data says, transparent pixels are shown on white, and 16-bit grey keeps
    its precision. A file may have up to 256 MiB and 2²⁷ pixels. Pipes and devices are never opened.

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
    image_size = _size(owner, size)
    check.choice(owner, "mode", mode, tuple(MODES))
    check.choice(owner, "damaged", damaged, DAMAGED)
    for name, part in (("validation", validation), ("test", test)):
        check_size(owner, name, part)
    standardized = check.flag(owner, "standardized", standardized)
    chosen = default_generator(owner, generator)
    pillow(owner)

    remarks: list[str] = []
    pictures, classes = _find(owner, root, remarks)
    height, width = image_size or _common_size(owner, pictures, damaged)
    image_format = ImageFormat(height, width, mode)
    x, kept = _read(owner, pictures, image_format, damaged, remarks)
    y = np.array([classes.index(picture.label) for picture in kept], np.int64)
    _check_every_class(owner, root, y, classes)
    places = _places(owner, kept, y, {"validation": validation, "test": test}, chosen, remarks)
    parts = {name: ArrayDataset(x[rows], y[rows]) for name, rows in places.items()}
    title = f"{counted(len(kept), 'image')} of {len(classes)} classes, {height}×{width}, {mode}"
    return splits_of(
        owner,
        parts,
        classes=classes,
        name=root.resolve().name,
        standardized=standardized,
        format=image_format,
        report=Report(title, remarks=tuple(remarks)),
    )


# ---- find the files ------------------------------------------------------------------------------------


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
    """Return the images, class by class, and the names of the classes."""
    if not root.exists():
        raise MissingError(f"{owner}: there is no folder {root}")
    folders = _folders(owner, root)
    part_folders = _part_folders(owner, folders)
    trees = part_folders or {"": root}
    by_part = {part: _folders(owner, tree) for part, tree in trees.items()}
    classes = tuple(sorted({folder.name for found in by_part.values() for folder in found}))
    if len(classes) < 2:
        shown = shown_names(classes) or "none"
        raise InputError(f"{owner}: {root} must have a folder for each of two classes or more, got {shown}")
    if part_folders:
        train = {folder.name for folder in by_part["train"]}
        unknown = [name for name in classes if name not in train]
        if unknown:
            raise InputError(
                f"{owner}: {trees['train']} must have a folder for each class, {unknown[0]!r} is missing"
            )
        remarks.append(f"the parts are the folders {', '.join(tree.name for tree in part_folders.values())}")
    pictures, others = [], 0
    for part, found in by_part.items():
        for folder in found:
            files = list(_files(owner, folder))
            chosen = [file for file in files if file.suffix.lower() in SUFFIXES]
            others += len(files) - len(chosen)
            if not chosen:
                raise InputError(
                    f"{owner}: {folder} must hold images, got none; it would be the class {folder.name!r}"
                )
            pictures += [Picture(file, part, folder.name) for file in chosen]
    if others:
        remarks.append(f"{counted(others, 'file')} skipped without the suffix of an image, such as .png")
    return pictures, classes


def _folders(owner: str, root: Path) -> list[Path]:
    """Return the folders in a folder, without hidden ones."""
    return [entry for entry in _entries(owner, root) if entry.is_dir()]


def _entries(owner: str, folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except NotADirectoryError:
        raise InputError(f"{owner}: {folder} must be a folder, got a file") from None
    except OSError as error:
        raise InputError(f"{owner}: cannot read {folder}: {error.strerror or error}") from None


def _part_folders(owner: str, folders: list[Path]) -> dict[str, Path]:
    """Return the folders of the parts, if every folder is named like a part and holds folders."""
    found = {
        part: folder
        for part, names in PARTS.items()
        for folder in folders
        if folder.name.lower() in names and _folders(owner, folder)
    }
    return found if "train" in found and len(found) == len(folders) else {}


def pictures_in(owner: str, folder: Path) -> list[Path]:
    """Return the files with the suffix of an image in a folder and its subfolders, sorted."""
    return [file for file in _files(owner, folder) if file.suffix.lower() in SUFFIXES]


def _files(owner: str, folder: Path, above: tuple[tuple[int, int], ...] = ()) -> Iterator[Path]:
    """Yield the files in a folder and its subfolders; a link to a folder above is not followed."""
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above or len(above) > DEEPEST:
        return
    for entry in _entries(owner, folder):
        if entry.is_dir():
            yield from _files(owner, entry, (*above, here))
        else:
            yield entry


# ---- read the files ------------------------------------------------------------------------------------


def _common_size(owner: str, pictures: list[Picture], damaged: str) -> tuple[int, int]:
    """Return the size of all images, which must be the same."""
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
                f"{owner}: size must be given, such as size=64, as images differ: {first[0]} is {h}×{w}, "
                f"{picture.path} is {other_h}×{other_w}"
            )
    if first is None:
        raise InputError(f"{owner}: no image could be read")
    return first[1]


def _read(
    owner: str, pictures: list[Picture], image_format: ImageFormat, damaged: str, remarks: list[str]
) -> tuple[ndarray, list[Picture]]:
    needed = len(pictures) * int(np.prod(image_format.shape)) * 4
    if needed > MOST_BYTES:
        raise InputError(
            f"{owner}: size must be smaller: {len(pictures)} images would take {needed / 2**30:.0f} GiB, "
            f"more than the limit of {MOST_BYTES // 2**30} GiB"
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
            f"{owner}: {root} must hold an image of each class, none of {shown_names(empty)} can be read"
        )


def _places(
    owner: str,
    pictures: list[Picture],
    y: ndarray,
    sizes: dict[str, Size | None],
    generator: Generator,
    remarks: list[str],
) -> dict[str, ndarray]:
    """Return the indices of each part's images."""
    given = {
        part: np.array([i for i, picture in enumerate(pictures) if picture.part == part])
        for part in {picture.part for picture in pictures}
    }
    if "" in given:
        return cut(owner, y, sizes, generator, stratify=True)
    if "train" not in given:
        raise InputError(f"{owner}: no image of the training part can be read")
    missing = {part: size for part, size in sizes.items() if part not in given and size is not None}
    if not missing:
        return {part: given[part] for part in ("train", *sizes) if part in given}
    remarks.append(f"taken out of the training part: {', '.join(missing)}")
    places = cut(owner, y[given["train"]], missing, generator, stratify=True)
    parts = given | {part: given["train"][rows] for part, rows in places.items()}
    return {part: parts[part] for part in ("train", *sizes) if part in parts}
