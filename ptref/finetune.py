"""A ResNet-18 of torchvision with its last layer replaced, which alone learns the digits 5–9.

With the weights torchvision publishes, learnt from the photographs of ImageNet, the network has never seen a
digit. Where they cannot be had, that is said, and the network learns the digits 0–4 first, from random
weights, as LeNet-5 does in the recipe ``finetune``.

A frozen network gives the same features for an image at every epoch. So they are computed once, in evaluation
mode, and the last layer learns from them as from any data: the same numbers as with the whole network in
place, for the price of one epoch.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
import torch.hub
import torchvision
from torch import Tensor, nn

from npnet.data import ArrayDataset, Splits, minibatches
from npnet.errors import InputError, MissingError
from npnet.experiments import Options
from npnet.train import History, ProgressMode, evaluate_engine
from ptref.engine import TorchEngine, torch_threads
from ptref.train import fit

WEIGHTS = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
FEATURES = 512  # numbers that the last layer sees
SIDE = 64  # pixels that images are enlarged to
BATCH = 64
MOST = {"first": 1000, "train": 2000, "validation": 500, "test": 2000}  # images: the network is large
QUICK = {"first": 64, "train": 32, "validation": 16, "test": 32}
FIRST_EPOCHS, EPOCHS = 3, 20

Report = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class FineTuned:
    """A ResNet-18 whose last layer learnt new classes.

    Parameters
    ----------
    network : Module
        Takes images of shape (n, 1, h, w), brightness in [0, 1].
    pretrained : bool
        Whether it knew ImageNet before; if not, it knew the first classes.
    history : History
        Of the last layer.
    accuracy : float
        On the test part of the new classes.
    seconds : float
        Everything together.
    """

    network: nn.Module
    pretrained: bool
    history: History
    accuracy: float
    seconds: float

    def headline(self) -> str:
        """Say what it reached."""
        learnt = "ImageNet" if self.pretrained else "0–4"
        return f"last layer of a ResNet-18 that knows {learnt} {100 * self.accuracy:.2f} %"

    def values(self) -> dict[str, Any]:
        """Return what is kept of it."""
        return {
            "pretrained": self.pretrained,
            "accuracy": self.accuracy,
            "epochs": len(self.history.epochs),
            "seconds": round(self.seconds, 3),
        }


class Photograph(nn.Module):
    """Turn digits into what the network takes: three equal channels, large, standardised as ImageNet is."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, 3, 64, 64) from brightness in [0, 1] of shape (n, 1, h, w)."""
        x = nn.functional.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        return (x - self.mean) / self.deviation


def published_weights(url: str = WEIGHTS.url) -> dict[str, Tensor]:
    """Return the published weights, downloaded to torch's own folder if they are not there.

    Nothing is unpickled before it has the checksum that the file's name ends with.

    Parameters
    ----------
    url : str
        Ends with ``-<the first digits of the SHA-256>.pth``.

    Returns
    -------
    state : dict
        A ``state_dict``.

    Raises
    ------
    MissingError
        If they are not there and cannot be downloaded.
    InputError
        If the file that is there is damaged.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    checksum = path.stem.rpartition("-")[2]
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=checksum, progress=False)
        except (OSError, URLError, RuntimeError) as error:  # RuntimeError: of another checksum
            raise MissingError(f"{url} cannot be downloaded ({error})") from None
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if not actual.startswith(checksum):
        raise InputError(f"{path} must have the SHA-256 {checksum}…, got {actual[:8]}…; move it away")
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def learn_last_layer(
    first: Splits[ArrayDataset], second: Splits[ArrayDataset], options: Options, report: Report
) -> FineTuned:
    """Take a ResNet-18 that has learnt something else, and let its last layer learn the second classes.

    Parameters
    ----------
    first : Splits
        What the network learns before if the published weights cannot be had.
    second : Splits
        What its last layer learns; with a validation and a test part.
    options : npnet.experiments.Options
    report : callable
        Takes lines about how it goes.

    Returns
    -------
    tuned : FineTuned
    """
    began = time.perf_counter()
    most = QUICK if options.quick else MOST
    with _seeded(options.seed), torch_threads(options.threads):
        network = torchvision.models.resnet18()
        pretrained = _load_published(network, report)
        whole = nn.Sequential(Photograph(), network).to(options.device)
        if not pretrained:
            _learn_first(whole, network, _some(first.train, most["first"]), options)
        network.fc = nn.Linear(FEATURES, len(second.classes)).to(options.device)
        train, validation, test = (
            features(whole, network, _some(getattr(second, name), most[name]))
            for name in ("train", "validation", "test")
        )
        history = _learn(network.fc, (train, validation), options)
        accuracy = evaluate_engine(_engine(network.fc), test).accuracy
    assert accuracy is not None
    tuned = FineTuned(whole, pretrained, history, accuracy, time.perf_counter() - began)
    report(f"PyTorch: {tuned.headline()}, {tuned.seconds:.1f} s")
    return tuned


def features(whole: nn.Module, network: nn.Module, images: ArrayDataset) -> ArrayDataset:
    """Return what the last layer of a network sees of images, in evaluation mode.

    Parameters
    ----------
    whole : Module
        Takes the images.
    network : Module
        The part of it that has the last layer, as ``fc``.
    images : ArrayDataset

    Returns
    -------
    seen : ArrayDataset
        x of shape (n, 512), and the labels as they were.
    """
    last, network.fc = network.fc, nn.Identity()
    whole.eval()
    device = next(whole.parameters()).device
    with torch.inference_mode():
        seen = [whole(torch.from_numpy(x).to(device)).cpu().numpy() for x, _ in minibatches(images, BATCH)]
    network.fc = last
    return ArrayDataset(np.concatenate(seen), images.y)


def _load_published(network: nn.Module, report: Report) -> bool:
    try:
        network.load_state_dict(published_weights())
    except MissingError as error:
        report(f"ResNet-18: no pretrained weights, as {error}; it learns 0–4 first, from random weights")
        return False
    report("ResNet-18: with the weights torchvision publishes, learnt from ImageNet")
    return True


def _learn_first(whole: nn.Module, network: nn.Module, images: ArrayDataset, options: Options) -> None:
    network.fc = nn.Linear(FEATURES, int(images.y.max()) + 1).to(options.device)
    adam = torch.optim.Adam(whole.parameters(), lr=1e-3)
    fit(
        whole, nn.CrossEntropyLoss(), adam, images, epochs=1 if options.quick else FIRST_EPOCHS,
        batch_size=BATCH, generator=np.random.default_rng(options.seed), progress=_bar(options),
    )  # fmt: skip


def _learn(last: nn.Module, seen: tuple[ArrayDataset, ArrayDataset], options: Options) -> History:
    adam = torch.optim.Adam(last.parameters(), lr=1e-3)
    return fit(
        last, nn.CrossEntropyLoss(), adam, seen, epochs=2 if options.quick else EPOCHS,
        batch_size=BATCH, generator=np.random.default_rng(options.seed), progress=_bar(options),
    )  # fmt: skip


def _bar(options: Options) -> ProgressMode:
    """Say how much is told beside the lines of the recipe."""
    return "bar" if options.progress else False


def _engine(module: nn.Module) -> TorchEngine:
    """Return an engine that only evaluates the module; its optimizer never steps."""
    return TorchEngine(module, nn.CrossEntropyLoss(), torch.optim.SGD(module.parameters(), lr=1.0))


def _some(part: ArrayDataset, most: int) -> ArrayDataset:
    """Return some samples, taken evenly."""
    return part if len(part) <= most else part.subset(np.linspace(0, len(part) - 1, most).astype(int))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let PyTorch draw from a seed, and leave its generator as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
