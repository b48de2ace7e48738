import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from npnet import data
from npnet.data import ImageFormat
from npnet.errors import InputError, MissingError


def grey(value, size=(6, 4)):
    return Image.fromarray(np.full(size, value, np.uint8))


@pytest.fixture
def root(tmp_path):
    """Two classes of ten pictures, all different, of 6 by 4 pixels."""
    for first, name in enumerate(["dark", "light"]):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for i in range(10):
            grey(100 * first + i).save(folder / f"{i}.png")
    return tmp_path / "photos"


def everything(splits):
    x = np.concatenate([part.x for part in splits.parts().values()])
    y = np.concatenate([part.y for part in splits.parts().values()])
    return x, y


def test_folders_are_classes_and_pixels_come_as_they_are(root):
    splits = data.image_folder(root, mode="L", standardized=False)
    assert (splits.classes, splits.name, splits.task) == (("dark", "light"), "photos", "classification")
    assert [len(part) for part in splits.parts().values()] == [12, 4, 4]
    x, y = everything(splits)
    assert (x.dtype, x.shape[1:], y.dtype) == (np.float32, (1, 6, 4), np.int64)
    values = np.rint(x[:, 0, 0, 0] * 255).astype(int)
    assert sorted(zip(y, values, strict=True)) == [
        (first, 100 * first + i) for first in (0, 1) for i in range(10)
    ]
    assert splits.format == ImageFormat(6, 4, "L")
    assert np.bincount(splits.test.y).tolist() == [2, 2]


def test_it_is_what_torchvision_reads(root):
    torchvision = pytest.importorskip("torchvision")
    theirs = torchvision.datasets.ImageFolder(root, torchvision.transforms.ToTensor())
    assert tuple(theirs.classes) == data.image_folder(root).classes
    splits = data.image_folder(root, standardized=False, validation=None, test=None)
    np.testing.assert_array_equal(splits.train.x, np.stack([x.numpy() for x, _ in theirs]))
    assert splits.train.y.tolist() == [y for _, y in theirs]


def test_standardised_by_the_training_part_channel_by_channel(root):
    splits = data.image_folder(root, mode="RGB")
    np.testing.assert_allclose(splits.train.x.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(splits.train.x.std(axis=(0, 2, 3)), 1, atol=1e-5)
    assert splits.standardization.mean.shape == (3,)


@pytest.mark.parametrize(("size", "shape"), [(8, (8, 8)), ((3, 5), (3, 5)), (None, (6, 4))])
def test_pictures_are_brought_to_one_size(root, size, shape):
    splits = data.image_folder(root, size)
    assert splits.input_shape == (3, *shape)
    assert {value.size for value in np.unique(splits.train.x, axis=0)[0]} == {shape[0] * shape[1]}


def test_pictures_of_different_sizes_need_one(root):
    grey(3, (5, 5)).save(root / "dark" / "x.png")
    with pytest.raises(
        InputError, match=r"size must be given, such as size=64, as images differ: .* is 6×4, .* 5×5"
    ):
        data.image_folder(root)


# ---- kinds of pictures ---------------------------------------------------------------------------------


def read(path, size, mode):
    return ImageFormat(*size, mode)(path)[0]


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("kind", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "gif", "webp", "jpg"])
def test_every_kind_of_picture_is_read(tmp_path, kind, suffix, mode):
    pixels = np.full((6, 4), 255, np.uint8)
    image = (
        Image.fromarray(np.full((6, 4), 65535, np.uint16))
        if kind == "I;16"
        else Image.fromarray(pixels).convert(kind)
    )
    path = tmp_path / f"white.{suffix}"
    try:
        image.save(path)
    except (OSError, KeyError, ValueError):
        pytest.skip(f"{suffix} has no {kind}")
    x = read(path, (6, 4), mode)
    assert x.shape == ({"L": 1, "RGB": 3}[mode], 6, 4)
    np.testing.assert_allclose(x, 1, atol=0.02)


def test_sixteen_bits_are_kept(tmp_path):
    values = np.array([[0, 1], [300, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png")
    np.testing.assert_allclose(read(tmp_path / "x.png", (2, 2), "L")[0], values / 65535, atol=1e-7)


def test_what_is_transparent_is_white(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read(tmp_path / "x.png", (2, 2), "L")[0], [[0, 1], [1, 1]])
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([0, 0, 0, 9, 9, 9])
    palette.save(tmp_path / "p.gif", transparency=1)
    np.testing.assert_array_equal(read(tmp_path / "p.gif", (1, 2), "RGB")[:, 0], [[0, 1]] * 3)


def test_pictures_are_turned_as_the_camera_noted(tmp_path):
    pixels = np.array([[0, 0, 255, 255]] * 2, np.uint8).repeat(8, 0).repeat(8, 1)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "x.jpg", exif=exif, quality=100)
    x = read(tmp_path / "x.jpg", (32, 16), "L")[0]
    np.testing.assert_allclose(x, pixels.T / 255, atol=0.02)


def test_resizing_is_smooth(tmp_path):
    board = np.indices((32, 32)).sum(0) % 2 * np.uint8(255)
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / "x.png")
    np.testing.assert_allclose(read(tmp_path / "x.png", (4, 4), "L"), 0.5, atol=0.1)


# ---- what may be in the folder -------------------------------------------------------------------------


def test_parts_that_are_cut_already(root, tmp_path):
    whole = tmp_path / "cut"
    for part, n in (("train", 6), ("Val", 2), ("test", 2)):
        for name in ("dark", "light"):
            (whole / part / name).mkdir(parents=True)
            for i in range(n):
                shutil.copy(root / name / f"{i}.png", whole / part / name)
    splits = data.image_folder(whole)
    assert {name: len(part) for name, part in splits.parts().items()} == {
        "train": 12,
        "validation": 4,
        "test": 4,
    }
    assert splits.classes == ("dark", "light")
    assert "the parts are the folders train, Val, test" in str(splits)
    shutil.rmtree(whole / "Val")
    splits = data.image_folder(whole, validation=0.25)
    assert {name: len(part) for name, part in splits.parts().items()} == {
        "train": 9,
        "validation": 3,
        "test": 4,
    }
    shutil.copytree(whole / "test" / "dark", whole / "test" / "dim")
    with pytest.raises(InputError, match="train must have a folder for each class, 'dim' is missing"):
        data.image_folder(whole)


def test_classes_may_be_called_like_parts(root):
    (root / "dark").rename(root / "train")
    (root / "light").rename(root / "test")
    assert data.image_folder(root).classes == ("test", "train")


def test_hidden_and_other_files_are_passed_over(root):
    (root / ".git").mkdir()
    (root / "dark" / ".hidden.png").write_text("no picture")
    (root / "dark" / "notes.txt").write_text("no picture")
    (root / "list.csv").write_text("no picture")
    splits = data.image_folder(root)
    assert splits.classes == ("dark", "light")
    assert "1 file skipped without the suffix of an image" in str(splits)


def test_folders_within_a_class_belong_to_it_and_circles_end(root):
    (root / "dark" / "more").mkdir()
    grey(77).save(root / "dark" / "more" / "x.PNG")
    (root / "dark" / "more" / "back").symlink_to(root / "dark", target_is_directory=True)
    assert sum(map(len, data.image_folder(root).parts().values())) == 21


@pytest.mark.parametrize("harm", ["text", "empty", "cut", "pipe", "device", "broken link", "unreadable kind"])
def test_what_is_no_picture_is_named_or_left_out(root, harm):
    bad = root / "dark" / "0bad.png"
    if harm == "text":
        bad.write_text("no picture")
    elif harm == "empty":
        bad.write_bytes(b"")
    elif harm == "cut":
        rng = np.random.default_rng(0)
        Image.fromarray(rng.integers(0, 256, (6, 4, 3), np.uint8)).save(bad)
        bad.write_bytes(bad.read_bytes()[:-40])
    elif harm == "pipe":
        os.mkfifo(bad)
    elif harm == "device":
        bad.symlink_to("/dev/zero")
    elif harm == "broken link":
        bad.symlink_to("nowhere")
    else:
        bad.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 6\n")
    with pytest.raises(InputError, match=r"0bad\.png") as caught:
        data.image_folder(root)
    assert len(str(caught.value)) < 500
    splits = data.image_folder(root, damaged="skip")
    assert sum(map(len, splits.parts().values())) == 20
    assert "1 damaged file left out:" in str(splits)
    assert "0bad.png" in str(splits)


def test_a_huge_file_is_not_read(root):
    with (root / "dark" / "huge.png").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(InputError, match=r"huge\.png must be of at most 256 MiB, got 1024 MiB"):
        data.image_folder(root)


def test_too_many_pixels_are_refused_before_they_are_unpacked(root):
    Image.new("1", (2**14, 2**14)).save(root / "dark" / "huge.png")
    with pytest.raises(InputError, match=r"huge\.png is damaged: .*pixels"):
        data.image_folder(root, 8)


def test_all_pictures_together_must_fit(root, monkeypatch):
    monkeypatch.setattr(sys.modules["npnet.data.image_folder"], "MOST_BYTES", 20 * 3 * 64 * 4 - 1)
    with pytest.raises(InputError, match="size must be smaller: 20 images would take"):
        data.image_folder(root, 8)
    data.image_folder(root, 7)


def test_folders_that_are_none(root, tmp_path):
    with pytest.raises(MissingError, match="there is no folder"):
        data.image_folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="must be a folder, got a file"):
        data.image_folder(root / "dark" / "0.png")
    with pytest.raises(InputError, match="a folder for each of two classes or more, got none"):
        data.image_folder(root / "dark")
    (root / "empty").mkdir()
    with pytest.raises(InputError, match="empty must hold images, got none; it would be the class 'empty'"):
        data.image_folder(root)
    (root / "empty" / "x.png").write_text("no picture")
    with pytest.raises(InputError, match="none of 'empty' can be read"):
        data.image_folder(root, damaged="skip")


def test_without_pillow_it_says_how_to_get_it(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingError, match="images need Pillow; install it by `pip install pillow`"):
        data.image_folder(root)
