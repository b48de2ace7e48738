"""A ResNet-18 whose last layer is replaced; its weights come from files written here."""

import hashlib
from urllib.error import URLError

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

from npnet.data import ArrayDataset, Splits, split  # noqa: E402 - only where PyTorch is there
from npnet.errors import InputError, MissingError  # noqa: E402 - as above
from npnet.experiments import Options  # noqa: E402 - as above
from ptref import finetune  # noqa: E402 - as above


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Let torch keep its weights in a folder of the test's."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(finetune, "SIDE", 32)
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def published(hub):
    """Write weights like those published; the value is their address and what they are."""
    hub.mkdir(parents=True)
    torch.manual_seed(0)
    state = torchvision.models.resnet18().state_dict()
    torch.save(state, hub / "new.pth")
    checksum = hashlib.sha256((hub / "new.pth").read_bytes()).hexdigest()[:8]
    (hub / "new.pth").rename(hub / f"resnet18-{checksum}.pth")
    return f"https://example.org/resnet18-{checksum}.pth", state


def half(labels, seed):
    """Return images of five classes, a coarse pattern each, in three parts."""
    rng = np.random.default_rng(seed)
    y = np.resize(np.arange(5), 160)
    patterns = np.kron(rng.integers(2, size=(5, 1, 7, 7)), np.ones((4, 4)))
    x = (0.8 * patterns[y] + 0.2 * rng.random((160, 1, 28, 28))).astype(np.float32)
    parts = split(ArrayDataset(x, y), (0.6, 0.2, 0.2), rng)
    return Splits(*parts, classes=tuple(labels))


def test_weights_of_the_right_checksum_are_read(published):
    url, state = published
    found = finetune.published_weights(url)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_damaged_weights_are_refused_before_they_are_unpickled(hub, monkeypatch):
    hub.mkdir(parents=True)
    (hub / "resnet18-f37072fd.pth").write_bytes(b"damaged")
    monkeypatch.setattr(torch, "load", lambda *args, **kwargs: pytest.fail("must not be unpickled"))
    with pytest.raises(InputError, match=r"resnet18-f37072fd\.pth must have the SHA-256 f37072fd…, got "):
        finetune.published_weights("https://example.org/resnet18-f37072fd.pth")


def test_weights_that_cannot_be_downloaded_are_missing(hub, monkeypatch):
    def fail(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(MissingError, match=r"resnet18-f37072fd\.pth cannot be downloaded .*no network"):
        finetune.published_weights("https://example.org/resnet18-f37072fd.pth")


def test_with_published_weights_all_but_the_last_layer_stays_as_it_was(published, monkeypatch):
    url, state = published
    monkeypatch.setattr(finetune, "published_weights", lambda: finetune_weights(url))
    lines = []
    tuned = finetune.learn_last_layer(
        half("01234", 0), half("56789", 1), Options(quick=True, progress=False, threads=1), lines.append
    )
    assert tuned.pretrained
    assert "with the weights torchvision publishes" in lines[0]
    kept = tuned.network[1].state_dict()
    for name, tensor in state.items():
        if not name.startswith("fc."):
            assert torch.equal(kept[name], tensor), name
    assert kept["fc.weight"].shape == (5, 512)


finetune_weights = finetune.published_weights


def test_features_learnt_from_once_are_those_of_the_whole_network(published, monkeypatch):
    url, _ = published
    monkeypatch.setattr(finetune, "published_weights", lambda: finetune_weights(url))
    second = half("56789", 1)
    tuned = finetune.learn_last_layer(
        half("01234", 0), second, Options(quick=True, progress=False, threads=1), lambda _: None
    )
    tuned.network.eval()
    with torch.inference_mode():
        y = tuned.network(torch.from_numpy(second.test.x)).argmax(dim=1).numpy()
    assert tuned.accuracy == pytest.approx((y == second.test.y).mean())


def test_without_them_it_says_so_and_learns_the_first_classes_before(hub, monkeypatch):
    def fail(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    lines = []
    before = torch.random.get_rng_state()
    tuned = finetune.learn_last_layer(
        half("01234", 0), half("56789", 1), Options(quick=True, progress=False, threads=1), lines.append
    )
    assert not tuned.pretrained
    assert "no pretrained weights" in lines[0]
    assert "no network" in lines[0]
    assert "\n" not in lines[0]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert len(tuned.history.epochs) == 2
