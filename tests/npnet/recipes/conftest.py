"""Small CIFAR releases that can be learnt, in the files that are published, and the folder of real data."""

import hashlib
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from npnet.data import cifar

NAMES = {
    "cifar10": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    "cifar100": [f"class {i}" for i in range(100)],
}


@pytest.fixture(scope="session")
def real_data():
    """Return the folder that NPNET_DATA names."""
    if not os.environ.get("NPNET_DATA"):
        pytest.skip("NPNET_DATA names no folder with the real data")
    return Path(os.environ["NPNET_DATA"])


def photographs(labels, classes, rng):
    """Return noise around one coarse pattern for each class, as rows of bytes: red, green, blue."""
    patterns = np.random.default_rng(classes).integers(60, 196, size=(classes, 3, 4, 4))
    pictures = np.kron(patterns[labels], np.ones((8, 8), int)) + rng.integers(
        -40, 41, size=(len(labels), 3, 32, 32)
    )
    return pictures.clip(0, 255).astype(np.uint8).reshape(len(labels), -1)


@pytest.fixture
def small_cifar(tmp_path, monkeypatch):
    """Return the function that writes a small release and puts it in the place of the published one.

    Its value is the data folder. Each class has as many images in a file as any other.
    """

    def write(name, of_each_class):
        release = getattr(cifar, name.upper())
        rng = np.random.default_rng(0)
        place = tmp_path / "data" / release.folder
        place.mkdir(parents=True)
        checksums = {}
        for file in release.md5:
            labels = rng.permutation(np.repeat(np.arange(release.classes), of_each_class))
            value = {
                release.labels_key: labels.tolist(),
                "data": photographs(labels, release.classes, rng),
            }
            if file == release.meta:
                value = {release.names_key: NAMES[name]}
            content = pickle.dumps(value, protocol=4)
            (place / file).write_bytes(content)
            checksums[file] = hashlib.md5(content).hexdigest()
        monkeypatch.setattr(cifar, name.upper(), replace(release, md5=checksums))
        return tmp_path / "data"

    return write
