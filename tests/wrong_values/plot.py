"""Rows for `npnet.plot`."""

import numpy as np

from npnet import nn, plot
from npnet.plot import cifar, digits, features, kernels, plane
from npnet.train import Epoch, History
from tests.wrong_values.table import ARRAY, FUNCTION, POSITIVE, TEXT, Row

NAMES = ["cat", "dog"]
TITLE = [None, *TEXT]
TOO_MANY = [str(i) for i in range(10_001)]
CLASSES = ["ab", 3, 1.5, {}, {"a"}, [], [1.5, 2.5], [None, "a"], np.array([["a", "b"]]), TOO_MANY]
FEW = [*CLASSES, None]
OTHERS = [*CLASSES, ["a"], ["a", "b", "c"]]  # not one for each of two classes
NOT_NUMBERS = [*ARRAY, np.zeros(0), np.array([np.nan, 1.0]), np.array([np.inf, 1.0]), np.array([1j])]
PICTURES = [*NOT_NUMBERS, np.ones((2, 3)), np.zeros((0, 1, 2, 2)), np.full((2, 1, 2, 2), np.nan)]
LABELS = [
    *ARRAY,
    np.array([0.0, 1.0]),
    np.array([0, 2]),
    np.array([-1, 0]),
    np.array([[0, 1]]),
    np.array([0]),
]
P = [
    *NOT_NUMBERS,
    np.array([0.5, 0.5]),
    np.array([[5.0, -4.0], [1.0, 0.0]]),
    np.full((2, 2), np.nan),
    np.ones((1, 2)),
]
MAPPING = [None, 3, "a", [1], {}, {3: 1}, {"a": None}, {"a": "b"}, {"a": 3}]
SHARE = ["0.5", None, -0.1, 1.1, float("nan"), [0.5], True]
MOST = [*POSITIVE, 10**6]
RUN = History([Epoch(1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0, 10.0), Epoch(2, 0.5, 0.6, 0.9, 0.5, 0.1, 1.0, 10.0)])
NO_RUNS = [*MAPPING, {"a": History()}, {"a": [RUN]}, {str(i): RUN for i in range(50)}]
IMAGES = np.linspace(0, 1, 32).reshape(2, 1, 4, 4)
X, Y = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1])
POINTS = [*NOT_NUMBERS, np.ones((2, 3)), np.ones((3, 2)), np.full((2, 2), np.nan), np.ones((0, 2))]
POINT_LABELS = [*LABELS, np.array([0, 9])]


def halves(x):
    return np.stack([x[:, 0], 1 - x[:, 0]], axis=1).clip(0, 1)


def surface(**changed):
    return plane.Surface(**({"title": "t", "x": X, "y": Y, "probabilities": halves} | changed))


def judged():
    return {
        "images": IMAGES,
        "target": Y,
        "probabilities": np.full((2, 2), 0.5),
        "class_names": NAMES,
        "title": "t",
    }


JUDGED = {"images": PICTURES, "target": LABELS, "probabilities": P, "title": TITLE}
SURFACES = [None, 3, "a", [], [3], ["a"], surface(), [surface()] * 200]

PUBLIC = [
    Row(
        "plot.learning_curves",
        plot.learning_curves,
        lambda: {"runs": RUN, "title": "t", "loss_label": "l"},
        {"runs": [*NO_RUNS, History()], "title": TITLE, "loss_label": TITLE},
    ),
    Row(
        "plot.confusion",
        plot.confusion,
        lambda: {"matrix": np.eye(2, dtype=np.uint8), "class_names": np.array(NAMES), "title": "t"},
        {
            "matrix": [
                *ARRAY,
                np.eye(2),
                np.ones((2, 3), int),
                np.zeros((0, 0), int),
                -np.eye(2, dtype=int),
                np.ones(3, int),
            ],
            "class_names": OTHERS,
            "title": TITLE,
        },
    ),
    Row(
        "plot.filters",
        plot.filters,
        lambda: {"weight": np.ones((1, 1, 2, 2)), "title": "t"},
        {"weight": [*PICTURES, np.ones((2, 0, 3, 3))], "title": TITLE},
    ),
    Row(
        "plot.misclassified",
        plot.misclassified,
        lambda: judged() | {"most": np.uint8(24)},
        JUDGED | {"class_names": OTHERS, "most": MOST},
    ),
    Row(
        "plot.surface",
        plot.surface,
        lambda: {
            "model": halves,
            "x": X,
            "y": Y,
            "class_names": NAMES,
            "feature_names": ["a", "b"],
            "title": "t",
        },
        {
            "model": [*FUNCTION, None, lambda x: None, lambda x: np.ones(3), lambda x: x[:, :, None]],
            "x": POINTS,
            "y": POINT_LABELS,
            "class_names": OTHERS,
            "feature_names": [*OTHERS, None],
            "title": TITLE,
        },
    ),
    Row(
        "plot.feature_maps",
        plot.feature_maps,
        lambda: {
            "model": nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Softmax()),
            "x": np.ones((1, 1, 2)),
            "class_names": NAMES,
            "title": "t",
        },
        {
            "model": [None, 3, "relu", nn.ReLU, lambda x: x, nn.Sequential()],
            "x": [
                *NOT_NUMBERS,
                np.ones((2, 3)),
                np.ones((2, 1, 4, 4)),
                np.ones((1, 2, 2), int),
                np.zeros((1, 0, 2)),
            ],
            "class_names": OTHERS,
            "title": TITLE,
        },
    ),
]
OF_PHOTOGRAPHS = [
    Row(
        "plot.cifar.accuracy_by_class",
        cifar.accuracy_by_class,
        lambda: {
            "accuracies": np.array([0.5, 1.0]),
            "class_names": NAMES,
            "overall": 0.5,
            "most": 30,
            "title": "",
        },
        {
            "accuracies": [
                *ARRAY,
                np.array([1.5, 0.5]),
                np.array([np.nan, np.nan]),
                np.ones((2, 2)),
                np.ones(3),
            ],
            "class_names": [*OTHERS, None],
            "overall": SHARE,
            "most": [*POSITIVE, 1],
            "title": TITLE,
        },
    ),
    Row(
        "plot.cifar.shifts",
        cifar.shifts,
        lambda: {"accuracies": {-1: 0.5, 0: 0.6}, "changed": {-1: 0.1, 0: 0.0}, "guessing": 0.5, "title": ""},
        {
            name: [None, 3, [0.5], {}, {1: 0.5}, {0: 2.0, -1: 0.5}, {0: "a", -1: 0.5}, {"0": 0.5, -1: 0.5}]
            for name in ("accuracies", "changed")
        }
        | {"guessing": SHARE, "title": TITLE},
    ),
    Row(
        "plot.cifar.turned",
        cifar.turned,
        lambda: {
            "images": [(IMAGES[0], IMAGES[1])],
            "probabilities": np.full((1, 2, 2), 0.5),
            "target": np.array([0]),
            "class_names": NAMES,
            "title": "",
        },
        {
            "images": [None, 3, "a", [], [3], [IMAGES[0]], [(IMAGES[0],)], [(IMAGES, IMAGES)], [("a", "b")]],
            "probabilities": [*ARRAY, np.ones((1, 2)), np.ones((1, 3, 2)), np.full((1, 2, 2), 7.0)],
            "target": [*ARRAY, np.array([2]), np.array([0, 1]), np.array([0.0])],
            "class_names": [*OTHERS, None],
            "title": TITLE,
        },
    ),
    Row(
        "plot.cifar.predictions",
        cifar.predictions,
        lambda: judged() | {"most": 3},
        JUDGED | {"class_names": OTHERS, "most": MOST},
    ),
    Row(
        "plot.cifar.descents",
        cifar.descents,
        lambda: {"runs": {"a": RUN}, "updates": {"a": np.int64(3)}, "loss_label": "l", "title": ""},
        {
            "runs": [*NO_RUNS, RUN],
            "updates": [*MAPPING[:-3], {"b": 1}, {"a": 0}, {"a": 1.5}, {"a": 1, "b": 2}],
            "loss_label": TITLE,
            "title": TITLE,
        },
    ),
]
OF_DIGITS = [
    Row(
        "plot.digits.weight_images",
        digits.weight_images,
        lambda: {"rows": {"a": IMAGES[:, 0]}, "class_names": NAMES, "title": ""},
        {
            "rows": [*MAPPING, {"a": np.ones((3, 2, 2))}, {"a": IMAGES}, {"a": np.full((2, 2, 2), np.nan)}],
            "class_names": [*FEW, [str(i) for i in range(1000)]],
            "title": TITLE,
        },
    ),
    Row(
        "plot.digits.hardest",
        digits.hardest,
        lambda: judged() | {"most": 3},
        JUDGED | {"class_names": OTHERS, "most": MOST},
    ),
    Row(
        "plot.digits.curves",
        digits.curves,
        lambda: {"panels": {"p": {"a": RUN}}, "loss_label": "l", "title": ""},
        {"panels": [*MAPPING, *({"p": runs} for runs in NO_RUNS)], "loss_label": TITLE, "title": TITLE},
    ),
    Row(
        "plot.digits.untrained",
        digits.untrained,
        lambda: {"scales": [0.0, 1.0], "losses": np.array([2.0, 3.0]), "classes": np.int8(10), "title": ""},
        {name: [None, 3, "ab", [], [1.0], ["a", "b"], [1.0, float("nan")]] for name in ("scales", "losses")}
        | {"classes": POSITIVE, "title": TITLE},
    ),
    Row(
        "plot.digits.standings",
        digits.standings,
        lambda: {"accuracies": {"a": (0.5, 0.6)}, "must_reach": 0.9, "title": ""},
        {
            "accuracies": [*MAPPING, {"a": (0.5,)}, {"a": (0.5, 2.0)}, {"a": ("a", "b")}],
            "must_reach": [each for each in SHARE if each is not None],
            "title": TITLE,
        },
    ),
    Row(
        "plot.digits.against_size",
        digits.against_size,
        lambda: {"panels": {"error": {"svm": {10: 3.0, 100: 1.0}}}, "size_label": "n", "title": ""},
        {
            "panels": [
                *MAPPING,
                *({"error": each} for each in MAPPING),
                {"error": {"svm": {}}},
                {"error": {"svm": {10: 0.0}}},
                {"error": {"svm": {-1: 3.0}}},
                {"error": {"svm": {10: float("nan")}}},
                {"error": {"svm": {10: 3.0}}, "seconds": {"net": {10: 3.0}}},
            ],
            "size_label": TITLE,
            "title": TITLE,
        },
    ),
]
OF_LAYERS = [
    Row(
        "plot.features.class_histogram",
        features.class_histogram,
        lambda: {"parts": {"training": Y.astype(np.uint8)}, "class_names": NAMES, "title": ""},
        {"parts": [*MAPPING, *({"a": labels} for labels in LABELS[:-1])], "class_names": FEW, "title": TITLE},
    ),
    Row(
        "plot.features.templates",
        features.templates,
        lambda: {"weight": IMAGES[:, 0], "class_names": NAMES, "title": ""},
        {"weight": PICTURES, "class_names": [*OTHERS, None], "title": TITLE},
    ),
    Row(
        "plot.features.layer_by_layer",
        features.layer_by_layer,
        lambda: {
            "image": IMAGES[0],
            "outputs": {"a": IMAGES[0], "b": np.ones(3)},
            "logits": np.ones(2),
            "class_names": NAMES,
            "title": "",
        },
        {
            "image": PICTURES,
            "outputs": [
                3,
                "a",
                [1],
                {3: np.ones(2)},
                {"a": None},
                {"a": np.ones((2, 2))},
                {"a": np.full(2, np.nan)},
            ],
            "logits": [*NOT_NUMBERS, np.ones((2, 2)), np.ones(3)],
            "class_names": [*OTHERS, None],
            "title": TITLE,
        },
    ),
    Row(
        "plot.kernels.kernel_grid",
        kernels.kernel_grid,
        lambda: {"kernels": {"k": X}, "images": {"i": X}, "responses": {"i": {"k": X}}, "title": ""},
        {
            "kernels": [*MAPPING, {"k": np.ones(3)}],
            "images": [*MAPPING, {"i": np.ones(3)}],
            "responses": [*MAPPING, {"i": {"k": np.ones(3)}}, {"i": {"other": X}}, {"other": {"k": X}}],
            "title": TITLE,
        },
    ),
]
OF_THE_PLANE = [
    Row(
        "plot.plane.Surface",
        plane.Surface,
        lambda: {"title": "t", "x": X, "y": Y, "probabilities": halves, "support": np.array([1])},
        {
            "title": TITLE,
            "x": POINTS,
            "y": [*ARRAY, np.array([0, 9]), np.array([-1, 0]), np.array([0.0, 1.0])],
            "probabilities": [None, *FUNCTION],
            "support": [*ARRAY[1:], np.array([2]), np.array([-1]), np.array([0.5])],
        },
    ),
    Row(
        "plot.plane.surfaces",
        plane.surfaces,
        lambda: {"shown": [surface()], "class_names": NAMES, "columns": np.int64(1), "title": ""},
        {
            "shown": SURFACES,
            "class_names": [*FEW, list("abcdefghi")],
            "columns": POSITIVE[1:],
            "title": TITLE,
        },
    ),
    Row(
        "plot.plane.film",
        plane.film,
        lambda: {"frames": [surface()], "class_names": NAMES, "title": ""},
        {"frames": [*SURFACES[:-1], [None]], "class_names": [*FEW, list("abcdefghi")], "title": TITLE},
    ),
    Row(
        "plot.plane.Fit",
        plane.Fit,
        lambda: {
            "title": "t",
            "x": X[0],
            "y": X[1],
            "lines": {"a": (1.0, 0.0)},
            "reference": (1.0, 0.0),
            "reference_name": "r",
        },
        {
            "title": TITLE,
            "x": [*NOT_NUMBERS, np.ones(3), X],
            "y": [*NOT_NUMBERS, np.ones(3), X],
            "lines": [*MAPPING, {"a": (1.0,)}, {"a": ("1", 2.0)}, {"a": (float("nan"), 0.0)}],
            "reference": [3, "a", (1.0,), ("1", 2.0), (1.0, float("inf"))],
            "reference_name": TITLE,
        },
    ),
    Row(
        "plot.plane.fits",
        plane.fits,
        lambda: {"shown": [plane.Fit("t", X[0], X[1], {"a": (1.0, 0.0)})], "title": ""},
        {"shown": [None, 3, "a", [], [3], [None], {}], "title": TITLE},
    ),
    Row(
        "plot.plane.losses",
        plane.losses,
        lambda: {"panels": {"p": {"a": [2.0, 1.0]}}, "loss_label": "l", "columns": 2, "title": ""},
        {
            "panels": [
                *MAPPING,
                *({"p": each} for each in MAPPING),
                {"p": {"a": []}},
                {"p": {"a": [float("nan")]}},
            ],
            "loss_label": TITLE,
            "columns": POSITIVE,
            "title": TITLE,
        },
    ),
    Row(
        "plot.plane.duel",
        plane.duel,
        lambda: {"scores": {"accuracy": {"a": np.array([0.5]), "b": np.array([0.6])}}, "title": ""},
        {
            "scores": [
                *MAPPING,
                *({"accuracy": each} for each in MAPPING),
                {"accuracy": {"a": np.ones(2)}},
                {"accuracy": {"a": np.ones(2), "b": np.ones(3)}},
                {"accuracy": {"a": np.ones(2), "b": np.full(2, np.nan)}},
            ],
            "title": TITLE,
        },
    ),
]
ROWS = [*PUBLIC, *OF_PHOTOGRAPHS, *OF_DIGITS, *OF_LAYERS, *OF_THE_PLANE]
