"""One figure of every kind, and how tests look at figures."""

import io

import matplotlib as mpl
import numpy as np
from matplotlib.image import imread

from npnet import nn, plot
from npnet.train import Epoch, History
from tests.npnet.plot.recorded import MODEL as SMALL
from tests.npnet.plot.recorded import TARGET as LABELS
from tests.npnet.plot.recorded import X as SAMPLES
from tests.npnet.plot.recorded import recorded

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
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(6, 1, 8, 8)).astype(np.float32)
P = RNG.dirichlet(np.ones(3), size=6)
TARGET = np.array([0, 1, 2, 0, 1, 1])
MODEL = nn.Sequential(nn.Conv2d(1, 4, 3, generator=RNG), nn.Flatten(), nn.Linear(144, 3, generator=RNG))
KERNEL = np.array([[0.0, -1.0], [0.0, 1.0]])
PAIR = {"SVM": np.array([0.9, 0.8, 0.7]), "network": np.array([0.8, 0.8, 0.9])}
LINES = plot.LinePlot({"a": {10: 3.0, 100: 1.0}, "b": [2.0, 1.0]}, "n", "loss", references={"best": 0.5})
FIGURES = {
    "learning curves": lambda: plot.learning_curves(history(), title="cats"),
    "learning curves of several": lambda: plot.learning_curves(
        {"depth": {"one": history(), "two": history(2)}}
    ),
    "line plots": lambda: plot.line_plots([LINES]),
    "class histogram": lambda: plot.class_histogram({"training": np.array([0, 1, 2, 2])}, NAMES),
    "accuracy by class": lambda: plot.accuracy_by_class(np.array([0.2, 0.9, 0.5]), NAMES, overall=0.6),
    "accuracies": lambda: plot.accuracies({"one": {"test": 0.92}, "two": {"test": 0.97}}, must_reach=0.98),
    "paired comparison": lambda: plot.paired_comparison({"accuracy": PAIR}),
    "confusion": lambda: plot.confusion(np.diag([3, 4, 5]), NAMES),
    "weight images": lambda: plot.weight_images(RNG.normal(size=(4, 2, 3, 3))),
    "weight images in rows": lambda: plot.weight_images({"λ = 0": RNG.normal(size=(3, 8, 8))}, NAMES),
    "predictions": lambda: plot.predictions(IMAGES, TARGET, P, NAMES, likeliest=2),
    "predictions in rows": lambda: plot.predictions(IMAGES, TARGET, P, row_names=["a", "b"]),
    "misclassified": lambda: plot.predictions(IMAGES, TARGET, P, NAMES, select="misclassified"),
    "hardest": lambda: plot.predictions(IMAGES, TARGET, P, NAMES, select="hardest"),
    "feature maps": lambda: plot.feature_maps(MODEL, IMAGE, NAMES),
    "kernel responses": lambda: plot.kernel_responses(
        {"up": KERNEL}, {"a": IMAGE[0]}, {"a": {"up": IMAGE[0]}}
    ),
    "surface": lambda: plot.surface(halves, X, Y),
    "surfaces": lambda: plot.surfaces([SURFACE, None, plot.Surface("thirds", X, Y, thirds)], (*CLASSES, "2")),
    "gradient flow": lambda: plot.gradient_flow(recorded(), title="three epochs"),
    "update ratios": lambda: plot.update_ratios(recorded()),
    "dead units": lambda: plot.dead_units(recorded()),
    "activation histograms": lambda: plot.activation_histograms(SMALL, SAMPLES, title="a network"),
    "loss surface": lambda: plot.loss_surface(SMALL, nn.CrossEntropyLoss(), SAMPLES, LABELS, points=9),
    "fits": lambda: plot.fits([plot.Fit("line", X[:, 0], X[:, 1], {"now": (1.0, 0.0)}, (2.0, 0.0), "true")]),
}


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def pixels(figure):
    """Return the pixels of the saved figure, in 0…1."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    file.seek(0)
    return imread(file)


def cut_off(figure):
    """Tell whether anything reaches the edge of the saved figure."""
    return reaches_the_edge(pixels(figure))


def reaches_the_edge(drawn):
    """Tell whether anything reaches the edge of a picture."""
    return any((edge < 1).any() for edge in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]))
