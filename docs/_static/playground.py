"""The playground's Python: data, a network and its training, one step after another.

The page sends settings. They become a short script of npnet, and all of it but the last lines is run here:
what the page shows is what the reader copies. To the page go numbers and small arrays, never objects.

The same file runs in the reader's browser and in the tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy import ndarray

import npnet
from npnet import nn

DATA = {
    "gaussians": """\
x, y = npnet.data.sample_gauss_2d(3, 100, rng)  # 3 classes of 100 points
""",
    "mixture": """\
x, y = npnet.data.sample_gmm_2d(6, 2, 50, rng)  # 6 clouds of 50 points, in 2 classes
""",
    "spirals": """\
y = np.repeat([0, 1], 150)  # two arms of 150 points
turn = np.tile(np.linspace(0.1, 1, 150), 2)
angle = np.pi * (3.5 * turn + y)
arms = turn[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
x = (arms + rng.normal(0, 0.02, arms.shape)).astype(np.float32)
""",
    "digits": """\
splits = npnet.data.digits(rng, validation=0.2)  # 8×8 pixels each
train, validation = splits.train, splits.validation
""",
}
IN_THE_PLANE = """\
train, validation = npnet.data.split(npnet.data.ArrayDataset(x, y), (0.7, 0.3), rng)
(train, validation), _ = npnet.data.standardize(train, validation)
"""
CLASSES = {"gaussians": 3, "mixture": 2, "spirals": 2, "digits": 10}
ACTIVATIONS = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "none": "Identity"}
OPTIMIZERS = {
    "sgd": "SGD(model.parameters, lr={lr:g}, weight_decay={decay:g})",
    "momentum": "SGD(model.parameters, lr={lr:g}, momentum=0.9, weight_decay={decay:g})",
    "adam": "Adam(model.parameters, lr={lr:g}, weight_decay={decay:g})",
}
KERNELS = 8  # of the convolution
WIDEST, DEEPEST = 64, 3
GRID = 64  # points along each side of the decision surface
UNIT_GRID = 24  # points along each side of the picture of one unit
SAMPLES = 24  # digits whose predictions are shown

SCRIPT = """\
import numpy as np
import npnet
from npnet import nn, optim

rng = np.random.default_rng({seed})

{data}
model = nn.Sequential(
{layers}
)
criterion = nn.CrossEntropyLoss()
optimizer = optim.{optimizer}


def epochs():
    while True:
        yield from npnet.data.minibatches(train, {batch}, rng)


batches = epochs()


def step():
    x, target = next(batches)
    logits, backward = model.forward(x)
    loss, loss_backward = criterion.forward(logits, target)
    _, grads = backward(loss_backward())
    optimizer.step(grads)
    return grads
"""
LAST_LINES = """

for _ in range({steps}):
    step()

for name, part in (("training", train), ("validation", validation)):
    loss, accuracy = npnet.evaluate(model, criterion, part)
    print(f"{{name}}: loss {{loss:.6f}}, accuracy {{accuracy:.1%}}")
"""


@dataclass(frozen=True)
class Settings:
    """What can be chosen on the page.

    Parameters
    ----------
    data, activation, optimizer : str
        A name from `DATA`, `ACTIVATIONS` and `OPTIMIZERS`.
    hidden : tuple of int
        Widths of the hidden layers.
    convolution : bool
        Whether a convolution comes first; of digits alone.
    lr, decay : float
        Learning rate and weight decay.
    batch, seed : int

    Raises
    ------
    ValueError
        If a value is none of these.

    Examples
    --------
    >>> Settings(data="moons")
    Traceback (most recent call last):
    ValueError: data must be one of gaussians, mixture, spirals, digits, got 'moons'
    """

    data: str = "spirals"
    hidden: Sequence[int] = (32, 16)
    convolution: bool = False
    activation: str = "relu"
    optimizer: str = "adam"
    lr: float = 0.01
    batch: int = 32
    decay: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("data", DATA), ("activation", ACTIVATIONS), ("optimizer", OPTIMIZERS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if len(self.hidden) > DEEPEST or not all(1 <= width <= WIDEST for width in self.hidden):
            raise ValueError(
                f"hidden must be at most {DEEPEST} widths from 1 to {WIDEST}, got {list(self.hidden)}"
            )
        if self.convolution and self.data != "digits":
            raise ValueError(f"convolution must go with the digits, got {self.data!r}")


def setup(settings: Settings) -> str:
    """Return the code that makes data, network, optimizer and `step`.

    Examples
    --------
    >>> "nn.Linear(2, 4, generator=rng)" in setup(Settings(hidden=(4,)))
    True
    """
    digits = settings.data == "digits"
    return SCRIPT.format(
        seed=settings.seed,
        data=DATA[settings.data] + ("" if digits else IN_THE_PLANE),
        layers="\n".join(f"    nn.{layer}," for layer in _layers(settings)),
        optimizer=OPTIMIZERS[settings.optimizer]
        .format(lr=settings.lr, decay=settings.decay)
        .replace(", weight_decay=0)", ")"),
        batch=settings.batch,
    )


def script(settings: Settings, steps: int) -> str:
    """Return the whole script: it takes the steps and prints loss and accuracy."""
    return setup(settings) + LAST_LINES.format(steps=steps)


def _layers(settings: Settings) -> list[str]:
    """Return the layers in code, without ``nn.``."""
    activation = f"{ACTIVATIONS[settings.activation]}()"
    layers, width = [], 64 if settings.data == "digits" else 2
    if settings.convolution:
        layers += [f"Conv2d(1, {KERNELS}, 3, padding=1, generator=rng)", activation, "MaxPool2d(2)"]
        width = KERNELS * 4 * 4
    if settings.data == "digits":
        layers.append("Flatten()")
    for wider in settings.hidden:
        layers += [f"Linear({width}, {wider}, generator=rng)", activation]
        width = wider
    return [*layers, f"Linear({width}, {CLASSES[settings.data]}, generator=rng)"]


class Norms(TypedDict):
    """The sizes, ‖·‖₂, of a layer's weight and of its gradient in the last step; NaN before the first."""

    layer: str
    weight: float
    gradient: float


class Frame(TypedDict):
    """What the page draws after some steps."""

    step: int
    epoch: float
    loss: list[float]  # of training and validation part
    accuracy: list[float]
    norms: list[Norms]
    winners: ndarray  # the class with the highest probability, uint8
    certainties: ndarray  # that probability, float32; of grid points, or of samples
    pictures: list[list[ndarray]]  # of units, by layer: their answers in the plane, or their first weights
    weights: list[ndarray]  # (out, in), between these layers; none for digits


class Opening(TypedDict):
    """What stays the same during a training."""

    classes: int
    limit: float  # the plane is shown from −limit to limit along both axes; 0 for digits
    samples: ndarray  # points (n, 2), or pictures in [0, 1] (n, 8, 8)
    labels: ndarray  # uint8
    training: int  # so many of the samples come from the training part; the rest from the validation part
    frame: Frame


class Training:
    """A network in training.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        names: dict[str, Any] = {}
        exec(setup(settings), names)  # noqa: S102 - our own lines, with settings that were checked
        self.settings = settings
        self.train: npnet.data.ArrayDataset = names["train"]
        self.validation: npnet.data.ArrayDataset = names["validation"]
        self.model: nn.Sequential = names["model"]
        self.criterion: nn.Loss = names["criterion"]
        self.optimizer: npnet.optim.Optimizer = names["optimizer"]
        self.step: Callable[[], Mapping[str, ndarray]] = names["step"]
        self.steps = 0
        self.grads: Mapping[str, ndarray] = {}
        self.is_plane = settings.data != "digits"
        furthest = max(np.abs(part.x).max() for part in (self.train, self.validation))
        self.limit = 1.1 * float(furthest) if self.is_plane else 0.0

    def opening(self) -> Opening:
        """Return what the page needs at first."""
        parts = (self.train, self.validation) if self.is_plane else (self.validation.subset(range(SAMPLES)),)
        samples = np.concatenate([part.x for part in parts])
        if not self.is_plane:
            samples = (samples[:, 0] - samples.min()) / np.ptp(samples)
        return Opening(
            classes=CLASSES[self.settings.data],
            limit=self.limit,
            samples=samples,
            labels=np.concatenate([part.y for part in parts]).astype(np.uint8),
            training=len(self.train) if self.is_plane else 0,
            frame=self.frame(),
        )

    def advance(self, milliseconds: float, most: int) -> Frame:
        """Take steps for a while, at least one and `most` at the most."""
        end = time.perf_counter() + milliseconds / 1000
        with np.errstate(all="ignore"):  # of numbers that grow beyond all bounds the page speaks itself
            for _ in range(most):
                self.grads = self.step()
                self.steps += 1
                if time.perf_counter() >= end:
                    break
        return self.frame()

    def frame(self) -> Frame:
        """Look at the network as it is."""
        with np.errstate(all="ignore"):
            judged = [self._judged(part) for part in (self.train, self.validation)]
            shown = _plane(self.limit, GRID) if self.is_plane else self.validation.x[:SAMPLES]
            probabilities, _ = npnet.functional.softmax(self.model(shown))
            return Frame(
                step=self.steps,
                epoch=self.steps * self.settings.batch / len(self.train),
                loss=[loss for loss, _ in judged],
                accuracy=[accuracy for _, accuracy in judged],
                norms=self._norms(),
                winners=probabilities.argmax(axis=1).astype(np.uint8),
                certainties=probabilities.max(axis=1),
                pictures=self._answers() if self.is_plane else [self._first_weights()],
                weights=self._weights() if self.is_plane else [],
            )

    def trace(self, sample: int) -> str:
        """Return the page of `npnet.trace` for one of the samples shown."""
        parts = (self.train, self.validation) if self.is_plane else (self.validation,)
        x, y = (np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "y"))
        one = slice(sample, sample + 1)
        return npnet.trace(self.model, self.criterion, x[one], y[one], optimizer=self.optimizer).html()

    def _judged(self, part: npnet.data.ArrayDataset) -> tuple[float, float]:
        logits = self.model(part.x)
        loss, _ = self.criterion.forward(logits, part.y)
        return float(loss), float((logits.argmax(axis=1) == part.y).mean())

    def _norms(self) -> list[Norms]:
        return [
            Norms(
                layer=f"{place} {type(layer).__name__}",
                weight=_size(layer.parameters["weight"]),
                gradient=_size(self.grads[f"{place}.weight"]) if self.grads else float("nan"),
            )
            for place, layer in self.model.children.items()
            if "weight" in layer.parameters
        ]

    def _answers(self) -> list[list[ndarray]]:
        """Return what inputs, units and outputs are in each place of the plane."""
        y = _plane(self.limit, UNIT_GRID)
        answers, last = [y], len(self.model) - 1
        for place, layer in enumerate(self.model):
            y = layer(y)
            if place == last or not isinstance(layer, nn.Linear):
                answers.append(y)
        return [list(each.T.reshape(-1, UNIT_GRID, UNIT_GRID)) for each in answers]

    def _weights(self) -> list[ndarray]:
        return [layer.parameters["weight"] for layer in self.model if isinstance(layer, nn.Linear)]

    def _first_weights(self) -> list[ndarray]:
        """Return the weights of each unit of the first layer, as they lie over the picture."""
        first = next(layer for layer in self.model if "weight" in layer.parameters)
        weight = first.parameters["weight"]
        side = 3 if isinstance(first, nn.Conv2d) else 8
        return list(weight.reshape(-1, side, side))


def _size(array: ndarray) -> float:
    return float(np.linalg.norm(array))


def _plane(limit: float, side: int) -> ndarray:
    """Return the points of a square grid, row by row from the top, as pictures are drawn: (side², 2)."""
    along = np.linspace(-limit, limit, side, dtype=np.float32)
    across, up = np.meshgrid(along, along[::-1])
    return np.stack([across.ravel(), up.ravel()], axis=1)


class Page:
    """What the page asks for, one thing after another."""

    training: Training

    def start(self, settings: Mapping[str, Any]) -> Opening:
        """Begin a training anew."""
        self.training = Training(Settings(**settings))
        return self.training.opening()

    def advance(self, milliseconds: float, most: int) -> Frame:
        """Train for a while."""
        return self.training.advance(milliseconds, most)

    def trace(self, sample: int) -> str:
        """Trace one sample through both passes."""
        return self.training.trace(sample)

    def script(self) -> str:
        """Return the script that does the same."""
        return script(self.training.settings, self.training.steps)


page = Page()
