"""A network of two layers, written out: the whole of deep learning on one page of NumPy.

`fcann2_train` and `fcann2_classify` use nothing but NumPy and are meant to be read from top to bottom. The
recipe runs them, and trains the same network with npnet's layers from the same initial weights.

Data: `sample_gmm_2d(6, 2, 10)`, ten samples from each of six Gaussians of two classes; as many again for the
test. Model: 2 inputs, 5 hidden units with ReLU, 2 outputs with softmax. Loss: mean cross-entropy plus
λ/2 · ‖θ‖², λ = 1e-3. Optimizer: gradient descent, all samples at every step, 100 000 steps, lr 0.05.

The source reports no figure; it shows a decision surface bent around the classes. What to expect: losses of
the plain functions and of the layers that begin alike to the last digits, and a surface that separates what
no line can: higher training accuracy than logistic regression's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from npnet.errors import MissingError
from npnet.recipes import _gmm
from npnet.recipes._recipe import Options, Report
from npnet.recipes._several import Conclusion, SeveralNetworks, Trained
from npnet.run import RunFolder
from npnet.table import table

__all__ = ["fcann2_classify", "fcann2_train", "recipe"]

Parameters = dict[str, ndarray]
_last_trained: Parameters = {}


def fcann2_train(
    X: Float[ndarray, "n d"],
    Y: Int64[ndarray, " n"],
    *,
    hidden: int = 5,
    steps: int = 100_000,
    lr: float = 0.05,
    decay: float = 1e-3,
    start: Mapping[str, ndarray] | None = None,
    seed: int = 0,
) -> Parameters:
    """Train a two-layer classifier by gradient descent: softmax(max(0, X W1ᵀ + b1) W2ᵀ + b2).

    Parameters
    ----------
    X : array, shape (n, d)
        Samples.
    Y : integer array, shape (n,)
        Their classes, 0, 1, …
    hidden : int
        Number of hidden units.
    steps : int
    lr : float
        Learning rate.
    decay : float
        λ of the penalty λ/2 · ‖θ‖².
    start : mapping, optional
        Initial W1, b1, W2 and b2; random from `seed` if absent.
    seed : int

    Returns
    -------
    parameters : dict
        W1 of shape (hidden, d), b1 (hidden,), W2 (classes, hidden), b2 (classes,).

    Examples
    --------
    Exclusive or, which no line separates:

    >>> X, Y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    >>> parameters = fcann2_train(X, Y, steps=5000, lr=0.5)
    >>> fcann2_classify(X).argmax(axis=1)
    array([0, 1, 1, 0])
    """
    n, d = X.shape
    classes = int(Y.max()) + 1
    if start is None:
        random = np.random.default_rng(seed)
        W1, b1 = random.standard_normal((hidden, d)) / np.sqrt(d), np.zeros(hidden)
        W2, b2 = random.standard_normal((classes, hidden)) / np.sqrt(hidden), np.zeros(classes)
    else:
        W1, b1, W2, b2 = (start[name].copy() for name in ("W1", "b1", "W2", "b2"))
    Y_onehot = np.eye(classes)[Y]  # (n, classes)

    for _ in range(steps):
        # Forward: from the samples to the probabilities of their classes.
        S1 = X @ W1.T + b1  # (n, hidden)
        H1 = np.maximum(0, S1)
        P = softmax(H1 @ W2.T + b2)  # (n, classes)

        # Backward: the gradient of the mean cross-entropy, from the output to the input.
        grad_S2 = (P - Y_onehot) / n  # softmax and logarithm together have this simple gradient
        grad_W2 = grad_S2.T @ H1
        grad_b2 = grad_S2.sum(axis=0)
        grad_H1 = grad_S2 @ W2
        grad_S1 = grad_H1 * (S1 > 0)
        grad_W1 = grad_S1.T @ X
        grad_b1 = grad_S1.sum(axis=0)

        # Step: against the gradient, and a little towards 0.
        for parameter, grad in ((W1, grad_W1), (b1, grad_b1), (W2, grad_W2), (b2, grad_b2)):
            parameter -= lr * (grad + decay * parameter)

    parameters = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    _last_trained.update(parameters)
    return parameters


def fcann2_classify(
    X: Float[ndarray, "n d"], parameters: Mapping[str, ndarray] | None = None
) -> Float[ndarray, "n classes"]:
    """Return the class probabilities of samples.

    Parameters
    ----------
    X : array, shape (n, d)
    parameters : mapping, optional
        What `fcann2_train` returned; those of the last training if absent.

    Returns
    -------
    P : array, shape (n, classes)
        Rows that sum to 1; ``P.argmax(axis=1)`` are the predicted classes.

    Raises
    ------
    MissingError
        If there are no parameters and nothing was trained yet.

    Examples
    --------
    >>> zero = {"W1": np.zeros((5, 2)), "b1": np.zeros(5), "W2": np.zeros((2, 5)), "b2": np.zeros(2)}
    >>> fcann2_classify(np.ones((1, 2)), zero)
    array([[0.5, 0.5]])
    """
    parameters = _last_trained if parameters is None else parameters
    if not parameters:
        raise MissingError("fcann2_classify: parameters must be given or trained before, got none")
    H1 = np.maximum(0, X @ parameters["W1"].T + parameters["b1"])
    return softmax(H1 @ parameters["W2"].T + parameters["b2"])


def softmax(S: Float[ndarray, "n classes"]) -> Float[ndarray, "n classes"]:
    """Return probabilities from scores, row by row; less the largest, so that exp stays small."""
    E = np.exp(S - S.max(axis=1, keepdims=True))
    P: ndarray = E / E.sum(axis=1, keepdims=True)
    return P


# ---- the recipe ----------------------------------------------------------------------------------------

HIDDEN, STEPS, LR, DECAY = 5, 100_000, 0.05, 1e-3


class TwoLayers(SeveralNetworks):
    """The network made of layers, and the plain functions beside it."""

    def conclude(
        self, trained: Sequence[Trained], options: Options, folder: RunFolder, report: Report
    ) -> Conclusion:
        """Train the plain functions from the same weights for as many steps, and show both."""
        from npnet.plot_plane import Surface, surfaces  # noqa: PLC0415 - importing matplotlib takes a second

        (layers,) = trained
        part, steps = layers.splits.train, len(layers.history.epochs)
        settings = layers.network.given(options).optimizer.settings
        start, lr, decay = named_as_here(layers.looks[0]), settings["lr"], settings["weight_decay"]
        plain = fcann2_train(part.x, part.y, steps=steps, lr=lr, decay=decay, start=start)
        apart = largest_difference(layers, plain)
        judged = {"layers": _gmm.judge_parts(layers), "plain functions": judge_plain(plain, layers)}
        rows = [[who, part, *j.cells()] for who, parts in judged.items() for part, j in parts.items()]
        report(table(["network", "part", *_gmm.JUDGEMENT_HEADINGS], rows))
        report(f"the probabilities of both differ by at most {apart:.1e}")

        titles = {
            who: f"{who}: training {100 * parts['training'].accuracy:.1f} %, "
            f"test {100 * parts['test'].accuracy:.1f} %"
            for who, parts in judged.items()
        }
        shown = [
            _gmm.surface(titles["layers"], layers),
            Surface(titles["plain functions"], part.x, part.y, lambda x: fcann2_classify(x, plain)),
        ]
        spaced = f"{steps:,}".replace(",", " ")
        heading = f"Two layers with {HIDDEN} hidden units after {spaced} steps"
        drawn = surfaces(shown, layers.splits.classes, title=heading)
        accuracy = {name: f"{name} {100 * j.accuracy:.1f} %" for name, j in judged["layers"].items()}
        values: dict[str, Any] = {
            who: {name: j.rounded() for name, j in parts.items()} for who, parts in judged.items()
        }
        return Conclusion(
            f"accuracy: {', '.join(accuracy.values())}",
            [folder.figure("decision_surfaces.png", drawn)],
            {**values, "probabilities_differ_by": apart},
        )


def judge_plain(parameters: Parameters, layers: Trained) -> dict[str, _gmm.Judgement]:
    """Judge the plain functions on the parts that the layers are judged on."""
    parts = {"training": layers.splits.train, "test": layers.test}
    return {name: _gmm.judge(fcann2_classify(part.x, parameters), part.y) for name, part in parts.items()}


def largest_difference(layers: Trained, parameters: Parameters) -> float:
    """Return by how much the class probabilities of the training samples differ at most."""
    x = layers.splits.train.x
    return float(abs(fcann2_classify(x, parameters) - _gmm.probabilities(layers.model)(x)).max())


def named_as_here(weights: Mapping[str, ndarray]) -> Parameters:
    """Return the weights of `npnet.models.mlp` under the names of `fcann2_train`."""
    names = {"W1": "fc1.weight", "b1": "fc1.bias", "W2": "fc2.weight", "b2": "fc2.bias"}
    return {ours: weights[theirs] for ours, theirs in names.items()}


recipe = TwoLayers(
    name="gmm-fcann2",
    title="two layers with 5 hidden units on six Gaussians of two classes; also as plain functions",
    source="Deep learning laboratory, University of Zagreb (FER), exercise 1: fcann2",
    reported="no figure; a decision surface bent around the classes",
    expects="plain functions and layers alike; better than any line on the training samples",
    networks=(
        _gmm.classifier(
            "2-5-2",
            _gmm.mixture(6, 2, 10),
            [2, HIDDEN, 2],
            samples=60,
            steps=STEPS,
            quick_steps=2000,
            lr=LR,
            decay=DECAY,
        ),
    ),
    pauses=lambda _: [0],
)
