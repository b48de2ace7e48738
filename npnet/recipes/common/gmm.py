"""What the experiments with random Gaussians in the plane have in common: data, networks, judgement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check, metrics, models, plot
from npnet import functional as F
from npnet.data import ArrayDataset, Splits, sample_gmm_2d
from npnet.errors import InputError
from npnet.experiments import Options, Run, Runner, Setup, Spec
from npnet.nn import Layer

# Seeds from here on, so that with seed 0 no recipe's classes are split by a line, which would teach little.
FIRST_MIXTURE = 101


def mixture(components: int, classes: int, samples: int) -> Callable[[Options], Splits[ArrayDataset]]:
    """Return what draws `sample_gmm_2d(components, classes, samples)`, and as many samples for the test.

    Test samples come from the very Gaussians the training samples come from. The mixture changes with the
    seed of the run. Numbers are float64, as in the courses' own NumPy programs.
    """

    def draw(options: Options) -> Splits[ArrayDataset]:
        generator = np.random.default_rng(FIRST_MIXTURE + options.seed)
        return drawn(components, classes, samples, generator)

    return draw


def drawn(
    components: int, classes: int, samples: int, generator: np.random.Generator
) -> Splits[ArrayDataset]:
    """Draw a mixture; each of its Gaussians gives `samples` to learn from and `samples` for the test."""
    x, y = sample_gmm_2d(components, classes, 2 * samples, generator, dtype=np.float64)
    # A Gaussian's samples stand together: every other one is taken, the same number of each.
    train, test = ArrayDataset(x[::2], y[::2]), ArrayDataset(x[1::2], y[1::2])
    names = tuple(f"class {c}" for c in range(classes))
    return Splits(train, None, test, classes=names, name=f"sample_gmm_2d({components}, {classes}, {samples})")


def classifier(
    name: str,
    data: Callable[[Options], Splits[ArrayDataset]],
    sizes: Sequence[int],
    activation: str = "relu",
    *,
    samples: int,
    steps: int,
    quick_steps: int,
    lr: float,
    decay: float,
    snapshot_epochs: Callable[[int], Sequence[int]] | None = None,
) -> Setup:
    """Describe a fully connected network that learns from all `samples` at every step: an epoch is a step.

    The loss is the mean cross-entropy plus decay/2 · ‖θ‖², by the optimizer's `weight_decay`.
    """
    return Setup(
        name=name,
        data=data,
        input_shape=(sizes[0],),
        model=lambda generator: models.mlp(sizes, activation, generator=generator, dtype=np.float64),
        optimizer=Spec("SGD", lr=lr, weight_decay=decay),
        epochs=steps,
        batch_size=samples,
        snapshot_epochs=snapshot_epochs,
        threads=1,
        quick_epochs=quick_steps,
        quick_images=samples,  # few enough; fewer would be other data
    )


def class_probabilities(model: Layer) -> Callable[[ndarray], ndarray]:
    """Return the function from points to class probabilities that a network of logits stands for."""
    return lambda x: F.softmax(model(x), dim=1)[0]


def surface(title: str, run: Run, weights: Mapping[str, ndarray] | None = None) -> plot.Surface:
    """Return the decision surface of a network, shown with the points it learnt from.

    It is the surface of given weights, or else of those that were learnt in the end.
    """
    part, model = run.splits.train, run.model
    if weights is not None:
        model = run.setup.model(np.random.default_rng(0))
        model.load_state_dict(weights)
    return plot.Surface(title, part.x, part.y, class_probabilities(model))


def loss_panel(curves: Mapping[str, Sequence[float]], title: str = "", label: str = "") -> plot.LinePlot:
    """Return training losses against steps, both on logarithmic axes."""
    y_label = label or "cross-entropy (nats)"
    return plot.LinePlot(curves, y_label=y_label, title=title, x_scale="log", y_scale="log")


# ---- judging -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judgement:
    """How good scores are on labelled samples.

    Precision and recall are of each class; average precision is of class 1 where there are two classes,
    and the mean over the classes, each against the others, where there are more.
    """

    accuracy: float
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    average_precision: float

    def rounded(self) -> dict[str, Any]:
        """Return the numbers as they are kept in a file."""
        return {name: np.round(value, 4).tolist() for name, value in asdict(self).items()}

    def cells(self) -> list[str]:
        """Return the numbers in per cent, as cells of a table."""
        several = [" ".join(f"{100 * v:.0f}" for v in values) for values in (self.precision, self.recall)]
        return [f"{100 * self.accuracy:.1f}", *several, f"{100 * self.average_precision:.1f}"]


JUDGEMENT_HEADINGS = ["accuracy %", "precision %", "recall %", "AP %"]


def judge(scores: ndarray, target: ndarray) -> Judgement:
    """Judge scores of shape (n, classes), the higher the likelier the class.

    Samples are ranked for average precision by how far a class is ahead of the best other: probabilities
    would do as well, did not many of them round to 1.
    """
    classes = scores.shape[1]
    confusion = metrics.confusion_matrix(scores.argmax(axis=1), target, classes)
    precision, recall = metrics.precision_recall(confusion)
    judged = [1] if classes == 2 else range(classes)
    ahead = (scores[:, c] - np.delete(scores, c, axis=1).max(axis=1) for c in judged)
    ap = [metrics.average_precision(a, target == c) for a, c in zip(ahead, judged, strict=True)]
    return Judgement(
        metrics.accuracy(scores.argmax(axis=1), target),
        tuple(precision.tolist()),
        tuple(recall.tolist()),
        float(np.mean(ap)),
    )


def judge_parts(run: Run) -> dict[str, Judgement]:
    """Judge a network on the samples it learnt from and on those of the test."""
    parts = {"training": run.splits.train, "test": run.test}
    return {name: judge(run.model(part.x), part.y) for name, part in parts.items()}


def report_judgements(
    runner: Runner, heading: str, judged: Mapping[str, Mapping[str, Judgement]]
) -> dict[str, dict[str, Any]]:
    """Report judgements by name and part as a table, and return their numbers as they are kept."""
    rows = [[name, part, *j.cells()] for name, parts in judged.items() for part, j in parts.items()]
    runner.table([heading, "part", *JUDGEMENT_HEADINGS], rows)
    return {name: {part: j.rounded() for part, j in parts.items()} for name, parts in judged.items()}


# ---- checks of what other programs may call ------------------------------------------------------------


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
