"""What the experiments with random Gaussians in the plane have in common: data, networks, judgement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import functional as F
from npnet import metrics, models, plot
from npnet.data import ArrayDataset, Splits, sample_gmm_2d
from npnet.engines import Spec
from npnet.nn import Layer
from npnet.recipes._network import NetworkRecipe
from npnet.recipes._several import Trained
from npnet.recipes._spec import Options

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
) -> NetworkRecipe:
    """Describe a fully connected network that learns from all `samples` at every step.

    The loss is the mean cross-entropy plus decay/2 · ‖θ‖², by the optimizer's `weight_decay`.
    """
    return NetworkRecipe(
        name=name,
        title=f"{'-'.join(map(str, sizes))}, {activation}",
        source="",
        reported="",
        expects="",
        data=data,
        input_shape=(sizes[0],),
        model=lambda generator: models.mlp(sizes, activation, generator=generator, dtype=np.float64),
        optimizer=Spec("SGD", lr=lr, weight_decay=decay),
        epochs=steps,
        quick_epochs=quick_steps,
        quick_images=samples,  # few enough; fewer would be other data
        batch_size=samples,
    )


def probabilities(model: Layer) -> Callable[[ndarray], ndarray]:
    """Return the function from points to class probabilities that a network of logits stands for."""
    return lambda x: F.softmax(model(x), dim=1)[0]


def surface(title: str, trained: Trained, weights: Mapping[str, ndarray] | None = None) -> plot.Surface:
    """Return the decision surface of a network, shown with the points it learnt from.

    It is the surface of given weights, or else of those that were learnt in the end.
    """
    part, model = trained.splits.train, trained.model
    if weights is not None:
        model = trained.network.model(np.random.default_rng(0))
        model.load_state_dict(weights)
    return plot.Surface(title, part.x, part.y, probabilities(model))


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


def judge_parts(trained: Trained) -> dict[str, Judgement]:
    """Judge a network on the samples it learnt from and on those of the test."""
    parts = {"training": trained.splits.train, "test": trained.test}
    return {name: judge(trained.model(part.x), part.y) for name, part in parts.items()}
