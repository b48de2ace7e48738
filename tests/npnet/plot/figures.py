"""One figure of every kind, and how tests look at figures."""

import io

import matplotlib as mpl
import numpy as np
from matplotlib.image import imread

from npnet import nn, plot
from npnet.train import Epoch, History

NAMES = ("cat", "dog", "owl")
CLASSES = ("class 0", "class 1")
IMAGE = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8)
X = np.array([[-2.0, 0.0], [-1.0, 1.0], [1.0, 0.0], [2.0, 1.0]])
Y = np.array([0, 0, 1, 0])  # the last is misclassified


def history(epochs=3, *, accuracy=0.5, loss=1.0):
    made = [Epoch(i, loss / i, accuracy, loss / i, accuracy, 0.1, 1.0, 10.0) for i in range(1, epochs + 1)]
    return History(made, best_epoch=epochs)


def halves(x):
    """Return class probabilities: class 1 to the right of the axis, the surer the further."""
    right = 1 / (1 + np.exp(-2 * x[:, 0]))
    return np.stack([1 - right, right], axis=1)


def thirds(x):
    score = np.exp(np.stack([x[:, 0], -x[:, 0], x[:, 1]], axis=1))
    return score / score.sum(axis=1, keepdims=True)


SURFACE = plot.Surface("halves", X, Y, halves)


def figures():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(6, 1, 8, 8)).astype(np.float32)
    probabilities = rng.dirichlet(np.ones(3), size=6)
    target = np.array([0, 1, 2, 0, 1, 1])
    model = nn.Sequential(nn.Conv2d(1, 4, 3, generator=rng), nn.Flatten(), nn.Linear(144, 3, generator=rng))
    kernel = np.array([[0.0, -1.0], [0.0, 1.0]])
    pair = {"SVM": np.array([0.9, 0.8, 0.7]), "network": np.array([0.8, 0.8, 0.9])}
    curves = {"a": {10: 3.0, 100: 1.0}, "b": [2.0, 1.0]}
    return {
        "learning curves": plot.learning_curves(history(), title="cats"),
        "learning curves of several": plot.learning_curves({"depth": {"one": history(), "two": history(2)}}),
        "line plots": plot.line_plots([plot.LinePlot(curves, "n", "loss", references={"best": 0.5})]),
        "class histogram": plot.class_histogram({"training": np.array([0, 1, 2, 2])}, NAMES),
        "accuracy by class": plot.accuracy_by_class(np.array([0.2, 0.9, 0.5]), NAMES, overall=0.6),
        "accuracies": plot.accuracies({"one": {"test": 0.92}, "two": {"test": 0.97}}, must_reach=0.98),
        "paired comparison": plot.paired_comparison({"accuracy": pair}),
        "confusion": plot.confusion(np.diag([3, 4, 5]), NAMES),
        "weight images": plot.weight_images(rng.normal(size=(4, 2, 3, 3))),
        "weight images in rows": plot.weight_images({"λ = 0": rng.normal(size=(3, 8, 8))}, NAMES),
        "predictions": plot.predictions(images, target, probabilities, NAMES, likeliest=2),
        "predictions in rows": plot.predictions(images, target, probabilities, row_names=["a", "b"]),
        "misclassified": plot.predictions(images, target, probabilities, NAMES, select="misclassified"),
        "hardest": plot.predictions(images, target, probabilities, NAMES, select="hardest"),
        "feature maps": plot.feature_maps(model, IMAGE, NAMES),
        "kernel responses": plot.kernel_responses({"up": kernel}, {"a": IMAGE[0]}, {"a": {"up": IMAGE[0]}}),
        "surface": plot.surface(halves, X, Y),
        "surfaces": plot.surfaces([SURFACE, None, plot.Surface("thirds", X, Y, thirds)], (*CLASSES, "2")),
        "fits": plot.fits([plot.Fit("line", X[:, 0], X[:, 1], {"now": (1.0, 0.0)}, (2.0, 0.0), "true")]),
    }


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def pixels(figure):
    """Return the pixels of the saved figure, in 0…1."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    file.seek(0)
    return imread(file)
