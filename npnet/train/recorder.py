"""What a run records of its steps: for the figures of `npnet.plot`, and for `npnet.train.diagnose`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._quiet import Silence
from npnet.nn import BCELoss, BCEWithLogitsLoss, Layer, Loss, MSELoss
from npnet.nn.outputs import dead_shares
from npnet.nn.step import check_loss, check_model

if TYPE_CHECKING:
    from npnet.data import Dataset
    from npnet.train.engine import Engine
    from npnet.train.state import State

SMALLEST_SHARE = 1e-6  # of a class that the probe lacks: no probability is 0


@dataclass(frozen=True)
class Moment:
    """What was recorded of one step.

    Parameters
    ----------
    step : int
        The number of the step in the run, from 1.
    loss : float
        Mean loss of the minibatch.
    grads : mapping from parameter names to float
        Root mean square of each gradient, √(Σ g² / size).
    updates : mapping from parameter names to float
        How far the step moved each parameter, relative to its size: ‖Δw‖ / ‖w‖. NaN where w was 0.
    dead : mapping from layer names to float
        The share of dead units of each ReLU after the step: those that are 0 for every sample of the probe.
        Empty until the probe is complete.
    """

    step: int
    loss: float
    grads: Mapping[str, float]
    updates: Mapping[str, float]
    dead: Mapping[str, float]


@dataclass(eq=False)
class Recorder:
    """Records steps of a run: gradients, updates and dead units, for figures and for `diagnose`.

    It is given to `npnet.fit` or `npnet.train.run`. The weights of the run are the same to the bit with it
    and without. It records every step of a short run; of a long one some, evenly, and never more than `most`.
    It records the steps that it sees: of a run that is resumed, those since then.

    Parameters
    ----------
    model : Layer, optional
        A model of npnet whose parameters have the names and shapes of those that are trained. `npnet.fit`
        needs none. With another engine, dead units are recorded where it is given.
    loss : Loss, optional
        The loss of npnet that is minimised. `npnet.fit` needs none. From it the loss of the best constant
        outputs is known.
    samples : int
        Size of the probe: so many of the first samples that the run learns from.
    most : int
        How many moments are kept.

    Attributes
    ----------
    moments : list of Moment
    baseline : float or None
        The loss of the best constant outputs on the probe: what a model reaches that does not look at x. None
        where it is not known.
    chance : float or None
        The share of the commonest class in the probe; None where targets are not class labels.
    weights : tuple of str
        The names of the parameters of two axes and more, in the model's order: no biases. If there are none,
        of all.
    steps_per_epoch : int
    x, target : arrays or None
        The probe, once it is complete.

    Raises
    ------
    InputError
        If an argument is of another kind.

    Examples
    --------
    >>> from npnet import fit, nn, optim
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Sequential(nn.Linear(1, 8, generator=rng), nn.ReLU(), nn.Linear(8, 1, generator=rng))
    >>> x = rng.normal(size=(100, 1)).astype(np.float32)
    >>> recorder = Recorder()
    >>> sgd = optim.SGD(model.parameters, lr=0.1)
    >>> _ = fit(model, nn.MSELoss(), sgd, (x, x**2), epochs=2, recorder=recorder, progress=False)
    >>> [moment.step for moment in recorder.moments]
    [1, 2, 3, 4]
    >>> list(recorder.moments[0].grads)
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    model: Layer | None = None
    loss: Loss | None = None
    samples: int = 256
    most: int = 100
    moments: list[Moment] = field(default_factory=list, init=False)
    baseline: float | None = field(default=None, init=False)
    chance: float | None = field(default=None, init=False)
    weights: tuple[str, ...] = field(default=(), init=False)
    steps_per_epoch: int = field(default=1, init=False)
    x: ndarray | None = field(default=None, init=False, repr=False)
    target: ndarray | None = field(default=None, init=False, repr=False)
    _every: int = field(default=1, init=False, repr=False)
    _wanted: int = field(default=1, init=False, repr=False)
    _seen: list[tuple[ndarray, ndarray]] = field(default_factory=list, init=False, repr=False)
    _twin: Layer | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.model is not None:
            check_model("Recorder", self.model)
        if self.loss is not None:
            check_loss("Recorder", self.loss)
        self.samples = check.integer("Recorder", "samples", self.samples, least=1)
        self.most = check.integer("Recorder", "most", self.most, least=2)

    # ---- what a run calls --------------------------------------------------------------------------

    def begin(self, engine: Engine, training: Dataset, steps_per_epoch: int) -> None:
        """Get ready for a run; what was recorded of another is forgotten.

        Parameters
        ----------
        engine : Engine
        training : data set
        steps_per_epoch : int
        """
        self.moments, self.weights, self.baseline, self.chance = [], (), None, None
        self.x, self.target, self._seen = None, None, []
        self._every, self._wanted = 1, min(self.samples, len(training))
        self.steps_per_epoch = steps_per_epoch
        model, loss = (getattr(engine, name, None) for name in ("model", "loss"))
        self.model = model if isinstance(model, Layer) else self.model
        self.loss = loss if isinstance(loss, Loss) else self.loss
        self._twin = deepcopy(self.model)

    def update(self, engine: Engine, state: State, x: ndarray, target: ndarray) -> None:
        """Let the engine update its parameters, and record the step if it is one to record.

        Parameters
        ----------
        engine : Engine
        state : State
        x, target : array
            The minibatch.
        """
        self._probe(x, target)
        before = state.epoch * self.steps_per_epoch + state.step
        if before % self._every:
            engine.update(state.grads)
            return
        old, grads = as_arrays(engine.weights()), as_arrays(state.grads)
        sizes = {name: root_mean_square(grads[name]) for name in old if name in grads}  # in the model's order
        if not self.weights:
            self.weights = tuple(name for name in sizes if old[name].ndim > 1) or tuple(sizes)
        engine.update(state.grads)
        new = as_arrays(engine.weights())
        updates = {name: _relative(new[name], old[name]) for name in sizes}
        self.moments.append(Moment(before + 1, float(state.loss), sizes, updates, self._dead(new)))
        if len(self.moments) == self.most:
            self._every *= 2
            self.moments = [moment for moment in self.moments if (moment.step - 1) % self._every == 0]

    @property
    def last(self) -> Layer | None:
        """A copy of the model with the weights of the last moment; None if none with a probe is recorded."""
        return self._twin if self.moments and self.x is not None else None

    # ---- the probe ---------------------------------------------------------------------------------

    def _probe(self, x: ndarray, target: ndarray) -> None:
        """Collect samples until the probe is complete."""
        if self.x is not None:
            return
        self._seen.append((x.copy(), target.copy()))
        if sum(len(x) for x, _ in self._seen) >= self._wanted:
            self.x, self.target = (
                np.concatenate(parts)[: self._wanted] for parts in zip(*self._seen, strict=True)
            )
            self._seen = []
            self.baseline = None if self.loss is None else constant_loss(self.loss, self.target)
            if self.target.dtype.kind in "iu":
                self.chance = float(np.unique(self.target, return_counts=True)[1].max() / self.target.size)

    def _dead(self, weights: Mapping[str, ndarray]) -> dict[str, float]:
        if self._twin is None or self.x is None:
            return {}
        self._twin.load_state_dict(dict(weights))
        return dead_shares(self._twin, self.x)


def as_arrays(weights: Mapping[str, Any]) -> dict[str, ndarray]:
    """Return an engine's weights or gradients as arrays, wherever it keeps them.

    Parameters
    ----------
    weights : mapping from names to arrays or tensors

    Returns
    -------
    arrays : dict from names to arrays
    """
    return {name: np.asarray(each.cpu() if hasattr(each, "cpu") else each) for name, each in weights.items()}


def root_mean_square(array: ndarray) -> float:
    """Return √(Σ a² / size); 0 of an array without elements.

    Parameters
    ----------
    array : array

    Returns
    -------
    value : float

    Examples
    --------
    >>> root_mean_square(np.array([3.0, 4.0, 0.0, 0.0]))
    2.5
    """
    return _norm(array) / math.sqrt(max(1, array.size))


def _norm(array: ndarray) -> float:
    return float(np.linalg.norm(array.ravel().astype(np.float64)))


def _relative(new: ndarray, old: ndarray) -> float:
    size = _norm(old)
    return _norm(np.asarray(new - old)) / size if size else math.nan


# ---- the loss of a model that does not look at x -------------------------------------------------------


def constant_loss(loss: Loss, target: ndarray) -> float | None:
    """Return the loss of the constant outputs that fit targets best; None where they are not known.

    For class labels these are the logarithms of the classes' shares, and the loss is about the entropy of the
    labels; for numbers the mean of each column, and the mean squared error is their variance.

    Parameters
    ----------
    loss : Loss
    target : array

    Returns
    -------
    value : float or None

    Examples
    --------
    >>> from npnet import nn
    >>> round(constant_loss(nn.CrossEntropyLoss(), np.array([0, 1, 0, 1])), 4)  # ln 2
    0.6931
    >>> constant_loss(nn.MSELoss(), np.array([[1.0], [3.0]]))
    1.0
    """
    outputs = _constant_outputs(loss, target)
    if outputs is None or (getattr(loss, "reduction", "mean") != "mean"):
        return None
    with Silence():
        value = float(loss(outputs, target))
    return value if np.isfinite(value) else None


def _constant_outputs(loss: Loss, target: ndarray) -> ndarray | None:
    """Return the best constant outputs, repeated for each sample."""
    if target.dtype.kind == "f" and isinstance(loss, MSELoss | BCELoss | BCEWithLogitsLoss):
        mean = np.broadcast_to(target.mean(axis=0), target.shape).astype(target.dtype)
        return np.log(mean / (1 - mean)) if isinstance(loss, BCEWithLogitsLoss) else mean
    ignored = getattr(loss, "ignore_index", None)
    if target.dtype.kind not in "iu" or target.ndim != 1 or ignored is None:
        return None
    counted = target[target != ignored]
    if not counted.size:
        return None
    counts = np.bincount(counted, minlength=_classes(loss, counted))
    shares = np.maximum(counts / counts.sum(), SMALLEST_SHARE)
    return np.tile(np.log(shares / shares.sum()), (len(target), 1))


def _classes(loss: Loss, labels: ndarray) -> int:
    weight = getattr(loss, "weight", None)
    return int(labels.max()) + 1 if weight is None else len(weight)
