import pickle
from dataclasses import replace

import numpy as np
import pytest

from npnet.data import cifar10
from npnet.data.cifar import CIFAR10, CIFAR100, load
from npnet.errors import InputError, MissingError

BOTH = pytest.mark.parametrize("release", [CIFAR10, CIFAR100], ids=lambda release: release.name)


def torchvision_release(release):
    """Return torchvision's class of the same data set, with the small files' checksums."""
    datasets = pytest.importorskip("torchvision.datasets")
    base = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[release.name]
    return type(
        "Small",
        (base,),
        {
            "train_list": [[file, release.md5[file]] for file in release.train],
            "test_list": [[file, release.md5[file]] for file in release.test],
            "meta": {
                "filename": release.meta,
                "key": release.names_key,
                "md5": release.md5[release.meta],
            },
        },
    )


@BOTH
@pytest.mark.filterwarnings("ignore:dtype.*align")  # torchvision opens Python 2's pickles as they are
def test_torchvision_reads_the_same_from_the_same_files(small_cifar, release):
    transforms = pytest.importorskip("torchvision.transforms")
    folder, release = small_cifar(release)
    splits = load(folder, release)
    small = torchvision_release(release)
    for part, train in ((splits.train, True), (splits.test, False)):
        theirs = small(folder, train=train, transform=transforms.ToTensor())
        assert (part.x.dtype, part.y.dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(part.x, np.stack([image.numpy() for image, _ in theirs]))
        np.testing.assert_array_equal(part.y, theirs.targets)
        assert list(splits.classes) == theirs.classes
    assert len(splits.train) == 20 * len(release.train)


def test_a_validation_part_comes_out_of_the_training_part(small_cifar):
    folder, release = small_cifar(CIFAR10)
    splits = load(folder, release, 0.2, np.random.default_rng(0))
    assert [len(part) for part in splits.parts().values()] == [80, 20, 20]


def serve(server, pack, folder, release, md5):
    """Move the files of a release into an archive on the server."""
    served, url = server
    archive = pack(served / "small.tar.gz", folder / release.folder)
    for file in (folder / release.folder).iterdir():
        file.unlink()
    (folder / release.folder).rmdir()
    return replace(release, url=url + "small.tar.gz", archive_md5=md5(archive))


@BOTH
def test_the_archive_is_downloaded_and_unpacked_once(small_cifar, server, pack, md5, release):
    folder, release = small_cifar(release)
    before = load(folder, release)
    release = serve(server, pack, folder, release, md5)
    np.testing.assert_array_equal(load(folder, release).train.x, before.train.x)
    assert [path.name for path in folder.iterdir()] == [release.folder]
    assert {path.name for path in (folder / release.folder).iterdir()} == set(release.md5)
    (server[0] / "small.tar.gz").unlink()
    np.testing.assert_array_equal(load(folder, release).test.x, before.test.x)


def test_an_archive_that_is_there_is_used_and_stays(small_cifar, server, pack, md5, nowhere):
    folder, release = small_cifar(CIFAR10)
    release = serve(server, pack, folder, release, md5)
    (server[0] / "small.tar.gz").rename(folder / "small.tar.gz")
    load(folder, replace(release, url=nowhere + "small.tar.gz"))
    assert (folder / "small.tar.gz").exists()


def test_a_wrong_archive_is_refused_and_not_kept(small_cifar, server, pack, md5):
    folder, release = small_cifar(CIFAR10)
    release = serve(server, pack, folder, release, md5)
    with pytest.raises(
        InputError, match="did not deliver the published file with MD5 0000; nothing was kept"
    ):
        load(folder, replace(release, archive_md5="0000"))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("damage", ["truncated", "no archive", "a file is missing", "a file is another"])
def test_an_archive_that_cannot_be_unpacked_is_refused(small_cifar, server, pack, md5, damage):
    folder, release = small_cifar(CIFAR10)
    if damage == "a file is missing":
        (folder / release.folder / "test_batch").unlink()
    if damage == "a file is another":
        (folder / release.folder / "test_batch").write_bytes(b"another")
    release = serve(server, pack, folder, release, md5)
    archive = server[0] / "small.tar.gz"
    if damage == "truncated":
        archive.write_bytes(archive.read_bytes()[:-100])
    if damage == "no archive":
        archive.write_bytes(b"no archive" * 100)
    messages = {
        "truncated": "cannot be unpacked",
        "no archive": "cannot be unpacked",
        "a file is missing": "must contain cifar-10-batches-py/test_batch",
        "a file is another": "test_batch must have the published MD5",
    }
    with pytest.raises(InputError, match=messages[damage]):
        load(folder, replace(release, archive_md5=md5(archive.read_bytes())))
    assert not (folder / "small.tar.gz").exists()
    left = [path for path in folder.rglob("*") if path.is_file()]
    assert all(md5(path.read_bytes()) == release.md5[path.name] for path in left)


def test_without_files_and_network_the_message_says_what_to_do(tmp_path, nowhere):
    with pytest.raises(MissingError, match=r"cifar-10-python\.tar\.gz is missing, and downloading .* failed"):
        load(tmp_path / "new", replace(CIFAR10, url=nowhere + "cifar-10-python.tar.gz"))
    assert not (tmp_path / "new").exists()


class Attack:
    """What a hostile file could ask for: a call of its choice while it is unpickled."""

    def __reduce__(self):
        return print, ("attacked",)


@pytest.mark.parametrize("known_checksum", [False, True])
def test_nothing_a_file_asks_for_is_called(small_cifar, md5, capsys, known_checksum):
    folder, release = small_cifar(CIFAR10)
    content = pickle.dumps({"data": Attack(), "labels": []})
    (folder / release.folder / "test_batch").write_bytes(content)
    if known_checksum:
        release = replace(release, md5={**release.md5, "test_batch": md5(content)})
    message = "builtins.print is not allowed" if known_checksum else "must have the published MD5"
    with pytest.raises(InputError, match=message):
        load(folder, release)
    assert "attacked" not in capsys.readouterr().out


PIXELS = np.zeros((2, 3072), np.uint8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({"data": PIXELS, "labels": [0, 1]})[:-9], "test_batch cannot be unpickled"),
        (b"no pickle at all", "test_batch cannot be unpickled"),
        (pickle.dumps([1, 2]), "test_batch must hold a dictionary, got list"),
        (pickle.dumps({"labels": [0, 1]}), r"must hold uint8 of shape \('n', 3072\) under 'data'"),
        (pickle.dumps({"data": PIXELS[:, :9], "labels": [0, 1]}), r"uint8 of shape \('n', 3072\)"),
        (pickle.dumps({"data": PIXELS.astype("i4"), "labels": [0, 1]}), "must hold uint8"),
        (pickle.dumps({"data": PIXELS}), "must hold a list of integers under 'labels'"),
        (pickle.dumps({"data": PIXELS, "labels": ["a", "b"]}), "must hold a list of integers"),
        (pickle.dumps({"data": PIXELS, "labels": [0]}), "holds 2 images, but 1 labels"),
        (pickle.dumps({"data": PIXELS, "labels": [0, 10]}), r"label 1 must be 0\.\.9, got 10"),
        (pickle.dumps({"data": PIXELS, "labels": [-1, 0]}), r"label 0 must be 0\.\.9, got -1"),
    ],
)
def test_files_that_are_not_cifar_are_refused(small_cifar, md5, content, message):
    folder, release = small_cifar(CIFAR10)
    (folder / release.folder / "test_batch").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load(folder, replace(release, md5={**release.md5, "test_batch": md5(content)}))


def test_every_class_has_a_name(small_cifar, md5):
    folder, release = small_cifar(CIFAR10)
    content = pickle.dumps({"label_names": ["one"]})
    (folder / release.folder / "batches.meta").write_bytes(content)
    with pytest.raises(InputError, match=r"batches\.meta must name 10 classes under 'label_names'"):
        load(folder, replace(release, md5={**release.md5, "batches.meta": md5(content)}))


@pytest.mark.filterwarnings("ignore:dtype.*align")
def test_the_published_files(real_data):
    datasets = pytest.importorskip("torchvision.datasets")
    splits = cifar10(real_data)
    assert splits.classes[:3] == ("airplane", "automobile", "bird")
    for part, train in ((splits.train, True), (splits.test, False)):
        theirs = datasets.CIFAR10(real_data, train=train)
        assert len(part) == (50_000 if train else 10_000)
        np.testing.assert_array_equal(part.y, theirs.targets)
        for start in range(0, len(part), 10_000):
            pixels = np.rint(part.x[start : start + 10_000] * 255).astype(np.uint8)
            np.testing.assert_array_equal(pixels.transpose(0, 2, 3, 1), theirs.data[start : start + 10_000])
