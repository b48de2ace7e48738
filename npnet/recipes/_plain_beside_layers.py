"""How the recipe of plain functions is run: beside the same network made of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from numpy import ndarray

from npnet import check, plot
from npnet.errors import InputError
from npnet.recipes import _gmm
from npnet.recipes._several import SeveralNetworks, Trained, Verdict
from npnet.recipes._spec import Options, Report
from npnet.recipes._trained import spaced
from npnet.run import RunFolder
from npnet.table import table


@dataclass(frozen=True, kw_only=True)
class PlainBesideLayers(SeveralNetworks):
    """The network made of layers, and the plain functions beside it.

    Parameters
    ----------
    plain_train, plain_classify : callable
        `fcann2_train` and `fcann2_classify`.
    """

    plain_train: Callable[..., dict[str, ndarray]]
    plain_classify: Callable[..., ndarray]

    def judge(
        self, trained: Sequence[Trained], options: Options, folder: RunFolder, report: Report
    ) -> Verdict:
        """Train the plain functions from the same weights for as many steps, and judge both."""
        (layers,) = trained
        part, steps = layers.splits.train, len(layers.history.epochs)
        settings = layers.network.given(options).optimizer.settings
        start, lr, decay = named_as_here(layers.looks[0]), settings["lr"], settings["weight_decay"]
        plain = self.plain_train(part.x, part.y, steps=steps, lr=lr, decay=decay, start=start)
        classify = partial(self.plain_classify, parameters=plain)
        apart = largest_difference(layers, classify)
        judged = {"layers": _gmm.judge_parts(layers), "plain functions": judge_plain(classify, layers)}
        rows = [[who, part, *j.cells()] for who, parts in judged.items() for part, j in parts.items()]
        report(table(["network", "part", *_gmm.JUDGEMENT_HEADINGS], rows))
        report(f"the probabilities of both differ by at most {apart:.1e}")

        accuracy = [f"{name} {100 * j.accuracy:.1f} %" for name, j in judged["layers"].items()]
        values: dict[str, Any] = {
            who: {name: j.rounded() for name, j in parts.items()} for who, parts in judged.items()
        }
        return Verdict(
            f"accuracy: {', '.join(accuracy)}",
            {**values, "probabilities_differ_by": apart},
            lambda into: [_draw(layers, classify, judged, into)],
        )


def _draw(
    layers: Trained,
    classify: Callable[[ndarray], ndarray],
    judged: Mapping[str, Mapping[str, _gmm.Judgement]],
    folder: RunFolder,
) -> Path:
    titles = {
        who: f"{who}: training {100 * parts['training'].accuracy:.1f} %, "
        f"test {100 * parts['test'].accuracy:.1f} %"
        for who, parts in judged.items()
    }
    part = layers.splits.train
    shown = [
        _gmm.surface(titles["layers"], layers),
        plot.Surface(titles["plain functions"], part.x, part.y, classify),
    ]
    hidden = layers.model.parameters["fc1.bias"].size
    heading = f"Two layers with {hidden} hidden units after {spaced(len(layers.losses))} steps"
    drawn = plot.surfaces(shown, layers.splits.classes, title=heading)
    return folder.figure("decision_surfaces.png", drawn)


def judge_plain(classify: Callable[[ndarray], ndarray], layers: Trained) -> dict[str, _gmm.Judgement]:
    """Judge the plain functions on the parts that the layers are judged on."""
    parts = {"training": layers.splits.train, "test": layers.test}
    return {name: _gmm.judge(classify(part.x), part.y) for name, part in parts.items()}


def largest_difference(layers: Trained, classify: Callable[[ndarray], ndarray]) -> float:
    """Return by how much the class probabilities of the training samples differ at most."""
    x = layers.splits.train.x
    return float(abs(classify(x) - _gmm.probabilities(layers.model)(x)).max())


def check_samples(owner: str, X: Any, Y: Any) -> None:
    """Require samples of shape (n, d) and a class for each of them."""
    check.axes(owner, "X", check.array(owner, "X", X, "f"), (2,), "(n, d)")
    check.shape(owner, "Y", check.array(owner, "Y", Y, "iu"), (len(X),), "a class for each sample")
    if not len(X) or Y.min() < 0:
        raise InputError(f"{owner}: Y must be classes 0, 1, … of a sample or more, got {check.described(Y)}")


def check_weights(owner: str, name: str, weights: Any, X: Any) -> None:
    """Require the arrays W1, b1, W2 and b2 of a network that takes the samples."""
    if not isinstance(weights, Mapping) or set(weights) != {"W1", "b1", "W2", "b2"}:
        raise InputError(f"{owner}: {name} must be a mapping with W1, b1, W2 and b2, got {weights!r:.60}")
    for key, array in weights.items():
        check.array(owner, f"{name}[{key!r}]", array, "f")
    hidden, classes = len(weights["b1"]), len(weights["b2"])
    shapes = {"W1": (hidden, X.shape[1]), "b1": (hidden,), "W2": (classes, hidden), "b2": (classes,)}
    for key, expected in shapes.items():
        check.shape(owner, f"{name}[{key!r}]", weights[key], expected, "to fit X and one another")


def named_as_here(weights: Mapping[str, ndarray]) -> dict[str, ndarray]:
    """Return the weights of `npnet.models.mlp` under the names of `fcann2_train`."""
    names = {"W1": "fc1.weight", "b1": "fc1.bias", "W2": "fc2.weight", "b2": "fc2.bias"}
    return {ours: weights[theirs] for ours, theirs in names.items()}
