import gzip
import hashlib
import struct
import sys

import numpy as np
import pytest

from npnet import models, recipes
from npnet._kept_run import KeptRun
from npnet.experiments import Options
from npnet.recipes.finetune import WAYS, start
from npnet.train import predict

NAMES = [way.name for way in WAYS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write MNIST files that hold a noisy pattern for each digit; the value has their checksums too."""
    place, checksums = tmp_path_factory.mktemp("data"), {}
    (place / "MNIST" / "raw").mkdir(parents=True)
    rng = np.random.default_rng(0)
    patterns = np.kron(np.random.default_rng(3).integers(2, size=(10, 7, 7)) * 200, np.ones((4, 4), int))
    for part, n in (("train", 1500), ("t10k", 400)):
        labels = rng.permutation(np.resize(np.arange(10, dtype=np.uint8), n))
        images = (patterns[labels] + rng.integers(56, size=(n, 28, 28))).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            content, name = header + array.tobytes(), f"{part}-{kind}-ubyte"
            packed = gzip.compress(content)
            (place / "MNIST" / "raw" / f"{name}.gz").write_bytes(packed)
            checksums |= {
                name: hashlib.md5(content).hexdigest(),
                f"{name}.gz": hashlib.md5(packed).hexdigest(),
            }
    return place, checksums


@pytest.fixture
def data(folder, monkeypatch):
    place, checksums = folder
    monkeypatch.setattr(sys.modules["npnet.data.mnist"], "MD5", checksums)
    return place


def test_a_quick_run_learns_both_halves(data, tmp_path):
    lines = []
    result = recipes.get("finetune").run(Options(quick=True, data=data, threads=1), tmp_path, lines.append)
    reached = result.values["networks"]["npnet"]
    assert reached["digits 0–4"]["accuracy"] > 0.9
    assert list(reached) == ["digits 0–4", *NAMES]
    assert reached["linear layers"]["accuracy"] > 0.8
    assert result.values["frozen_unchanged"] is True
    drawn = {"learning_curves.png", "confusion_matrix.png", "misclassified.png", "filters.png"}
    assert {path.name for path in result.figures} == drawn
    assert all(path.stat().st_size > 5000 for path in result.figures)
    assert any("425" in line for line in lines)
    # What is kept is a network for 5–9, and a trace of it takes the digits 5–9.
    assert (result.values["best"], result.values["setup"]) == ("last layer", "digits 5–9")
    setup, model = KeptRun.open(result.folder).network()
    assert setup.name == "digits 5–9"
    test = setup.splits(Options(data=data)).test
    accuracy = (predict(model, test).argmax(axis=1) == test.y).mean()
    assert accuracy == pytest.approx(reached["last layer"]["accuracy"])


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_a_way_freezes_what_it_says_and_begins_with_a_new_last_layer(way):
    before = models.lenet5(classes=5, generator=np.random.default_rng(1)).state_dict()
    model = start(way, before, np.random.default_rng(2))
    fresh = models.lenet5(classes=5, generator=np.random.default_rng(2)).state_dict()
    for name, array in model.parameters.items():
        layer = name.partition(".")[0]
        assert (name in model.frozen_parameters) == (layer not in way.layers)
        origin = before if way.learnt_before and layer != "fc3" else fresh
        np.testing.assert_array_equal(array, origin[name])


def test_what_was_frozen_is_compared_with_what_it_was(data, tmp_path, monkeypatch):
    from npnet import nn

    monkeypatch.setattr(nn.Sequential, "freeze", lambda self, *names: None)
    monkeypatch.setattr(nn.Sequential, "frozen_parameters", {"conv1.weight"})
    result = recipes.get("finetune").run(
        Options(quick=True, epochs=1, data=data), tmp_path, lambda line: None
    )
    assert result.values["frozen_unchanged"] is False


def test_the_halves_hold_five_digits_each(data):
    from npnet.recipes.finetune import FIRST, SECOND

    for which, setup in zip((FIRST, SECOND), recipes.get("finetune").setups, strict=True):
        splits = setup.data(Options(data=data))
        assert "".join(splits.classes) == which
        assert set(splits.train.y) == set(range(5))
        assert [len(part) for part in splits.parts().values()] == [675, 75, 200]


def test_on_both_engines_the_ways_come_to_the_same_and_a_resnet_joins(data, tmp_path, monkeypatch):
    pytest.importorskip("torchvision")
    import ptref.finetune
    from npnet.errors import MissingError

    def nowhere(url=""):
        raise MissingError("the weights cannot be downloaded")

    monkeypatch.setattr(ptref.finetune, "published_weights", nowhere)
    monkeypatch.setattr(ptref.finetune, "SIDE", 32)
    lines = []
    options = Options(quick=True, epochs=1, data=data, engine="both", threads=1)
    result = recipes.get("finetune").run(options, tmp_path, lines.append)
    engines = result.values["networks"]
    for way in NAMES:
        ours, theirs = (engines[name][way] for name in ("npnet", "PyTorch"))
        assert abs(ours["loss"] - theirs["loss"]) < 1e-3
    assert result.values["resnet18"]["pretrained"] is False
    assert 0 <= result.values["resnet18"]["accuracy"] <= 1
    assert any("no pretrained weights" in line and "0–4 first" in line for line in lines)
    headlines = {engine: each["headline"] for engine, each in result.values["reached"].items()}
    assert list(headlines) == ["npnet", "PyTorch"]
    for engine, headline in headlines.items():
        share = f"{100 * engines[engine]['last layer']['accuracy']:.2f} %"
        assert headline.startswith(f"test accuracy on 5–9: last layer {share}, linear layers ")
        assert ("ResNet-18 that knows 0–4" in headline) == (engine == "PyTorch")
    times = {engine: each["seconds"] for engine, each in result.values["reached"].items()}
    assert times["PyTorch"] > result.values["resnet18"]["seconds"]
    assert times["npnet"] > sum(each["seconds"] for each in engines["npnet"].values())


def test_real_digits_the_last_layer_alone_needs_what_was_learnt_before(real_data, tmp_path):
    if not (real_data / "MNIST").exists():
        pytest.skip("the data folder has no MNIST")
    result = recipes.get("finetune").run(
        Options(quick=True, data=real_data, threads=1), tmp_path, lambda line: None
    )
    reached = result.values["networks"]["npnet"]
    accuracy = {name: way["accuracy"] for name, way in reached.items()}
    assert reached["digits 0–4"]["accuracy"] > 0.95
    assert accuracy["last layer"] > accuracy["last layer, nothing learnt before"] + 0.15
    assert accuracy["linear layers"] > 0.9
