import gzip

import numpy as np
import pytest

from npnet.data import mnist
from npnet.data.mnist import MD5, read
from npnet.errors import InputError, MissingError


def unpack(raw):
    for packed in raw.glob("*.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()


@pytest.mark.parametrize("packed", [True, False])
def test_small_files_are_read(small_mnist, nowhere, packed):
    folder, arrays, md5 = small_mnist
    if not packed:
        unpack(folder / "MNIST" / "raw")
    for part, (images, labels) in zip(read(folder, md5, nowhere), arrays.values(), strict=True):
        assert (part.x.dtype, part.y.dtype) == (np.float32, np.int64)
        assert part.x.shape == (len(images), 1, 28, 28)
        np.testing.assert_array_equal(np.rint(part.x[:, 0] * 255), images)
        np.testing.assert_array_equal(part.y, labels)


def test_torchvision_reads_the_same_from_the_same_files(small_mnist, nowhere):
    datasets = pytest.importorskip("torchvision.datasets")
    transforms = pytest.importorskip("torchvision.transforms")
    folder, _, md5 = small_mnist
    unpack(folder / "MNIST" / "raw")
    for part, train in zip(read(folder, md5, nowhere), (True, False), strict=True):
        theirs = datasets.MNIST(folder, train=train, transform=transforms.ToTensor())
        np.testing.assert_array_equal(part.x, np.stack([image.numpy() for image, _ in theirs]))
        np.testing.assert_array_equal(part.y, theirs.targets.numpy())


def test_missing_files_are_downloaded_once(small_mnist, server, tmp_path):
    folder, arrays, md5 = small_mnist
    served, url = server
    for file in (folder / "MNIST" / "raw").iterdir():
        file.rename(served / file.name)
    train, _ = read(tmp_path / "new", md5, url)
    np.testing.assert_array_equal(np.rint(train.x[:, 0] * 255), arrays["train"][0])
    for file in served.iterdir():
        file.unlink()
    again, _ = read(tmp_path / "new", md5, url)
    np.testing.assert_array_equal(again.x, train.x)
    assert sorted(file.name for file in (tmp_path / "new" / "MNIST" / "raw").iterdir()) == sorted(
        name for name in md5 if name.endswith(".gz")
    )


def test_without_files_and_network_the_message_says_what_to_do(tmp_path, nowhere):
    with pytest.raises(MissingError) as caught:
        read(tmp_path / "new", MD5, nowhere)
    message = str(caught.value)
    for part in ("train-images-idx3-ubyte.gz is missing", str(tmp_path), nowhere, "NPNET_DATA"):
        assert part in message
    assert "\n" not in message
    assert not (tmp_path / "new").exists()


def replace(small_mnist, name, content, md5):
    folder, _, checksums = small_mnist
    (folder / "MNIST" / "raw" / f"{name}.gz").unlink()
    (folder / "MNIST" / "raw" / name).write_bytes(content)
    return folder, checksums | {name: md5(content)}


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (
            "train-labels-idx1-ubyte",
            np.array([3, 10, 4], np.uint8).repeat(10),
            r"train-labels-idx1-ubyte: byte 18 must be a label 0\.\.9, got 10",
        ),
        ("t10k-labels-idx1-ubyte", np.zeros(9, np.uint8), r"holds 10 images, but .* holds 9 labels"),
        ("t10k-labels-idx1-ubyte", np.zeros(10, np.int8), r"uint8 of shape \('n',\), got int8"),
        ("t10k-labels-idx1-ubyte", np.array(3, np.uint8), r"got uint8 of shape \(\)"),
        ("t10k-images-idx3-ubyte", np.zeros((10, 28, 27), np.uint8), r"\('n', 28, 28\), got uint8"),
        ("t10k-images-idx3-ubyte", np.zeros(10, np.uint8), r"\('n', 28, 28\), got uint8 of shape \(10,\)"),
    ],
)
def test_files_that_are_not_mnist_are_refused(small_mnist, nowhere, idx, md5, name, array, message):
    folder, checksums = replace(small_mnist, name, idx(array), md5)
    with pytest.raises(InputError, match=message):
        read(folder, checksums, nowhere)


def test_small_files_are_not_the_published_ones(small_mnist):
    folder, _, _ = small_mnist
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz must have the published MD5 f68b3c2d"):
        mnist(folder)


def test_the_published_files(real_data):
    splits = mnist(real_data, validation=10_000, generator=np.random.default_rng(0))
    assert [part.x.shape for part in splits.parts().values()] == [
        (n, 1, 28, 28) for n in (50_000, 10_000, 10_000)
    ]
    np.testing.assert_array_equal(np.bincount(splits.test.y)[:4], [980, 1135, 1032, 1010])
    assert splits.test.y[:6].tolist() == [7, 2, 1, 0, 4, 1]
    counts = np.bincount(splits.train.y) + np.bincount(splits.validation.y)
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    mean = sum(part.x.sum(dtype=np.float64) for part in (splits.train, splits.validation)) / (60_000 * 784)
    assert round(mean, 4) == 0.1307  # the figure everybody standardises by
