"""Rows for `npnet.plot`."""

import numpy as np

from npnet import nn, plot
from npnet.train import Epoch, History, Recorder
from tests.npnet.plot.recorded import MODEL as RECORDED_MODEL
from tests.npnet.plot.recorded import TARGET, recorded
from tests.npnet.plot.recorded import X as SAMPLES
from tests.wrong_values.table import ARRAY, CHOICE, COUNT, FLAG, FUNCTION, POSITIVE, TEXT, Row

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
    return plot.Surface(**({"title": "t", "x": X, "y": Y, "model": halves} | changed))


SURFACES = [None, 3, "a", [], [3], ["a"], surface(), [surface()] * 200]
RECORDER = [None, 3, "run", Recorder, Recorder(), {}]
STEP = {"0.weight": np.ones((6, 4), np.float32)}
STEPS = (STEP, STEP)
NO_STEPS = [
    3,
    "random",
    STEP,
    (STEP,),
    (STEP, {}),
    (STEP, {"a": np.ones(2)}),
    (STEP, {"0.weight": np.ones(2)}),
    (STEP, {"0.weight": 3}),
]
PATH = [3, "path", [], [{}] * 3, [RECORDED_MODEL.state_dict()] * 2, [RECORDED_MODEL.state_dict()] * 3]
LINE_PLOT = plot.LinePlot({"a": [2.0, 1.0]})

ROWS = [
    Row(
        "plot.learning_curves",
        plot.learning_curves,
        lambda: {"runs": RUN, "title": "t", "loss_label": "l"},
        {
            "runs": [*NO_RUNS, History(), *({"p": runs} for runs in NO_RUNS)],
            "title": TITLE,
            "loss_label": TITLE,
        },
    ),
    Row(
        "plot.LinePlot",
        plot.LinePlot,
        lambda: {
            "curves": {"a": {1: 2.0, 10: np.float32(1.0)}, "b": [2.0, np.inf], "c": np.ones(3)},
            "x_label": "x",
            "y_label": "y",
            "title": "t",
            "x_scale": "log",
            "y_scale": "log",
            "references": {"r": 2},
            "from_zero": True,
        },
        {
            "curves": [
                *MAPPING,
                *({"a": each} for each in (None, [], {}, "ab", {0: 1.0}, {"1": 1.0}, {1: "1"}, ["1"])),
            ],
            "x_label": TITLE,
            "y_label": TITLE,
            "title": TITLE,
            "x_scale": CHOICE,
            "y_scale": CHOICE,
            "references": [*MAPPING[1:-1], {"a": float("nan")}],
            "from_zero": FLAG,
        },
    ),
    Row(
        "plot.line_plots",
        plot.line_plots,
        lambda: {"shown": [LINE_PLOT], "columns": np.int64(2), "title": ""},
        {
            "shown": [None, 3, "a", [], [3], [None], {}, LINE_PLOT, [LINE_PLOT] * 21],
            "columns": POSITIVE,
            "title": TITLE,
        },
    ),
    Row(
        "plot.class_histogram",
        plot.class_histogram,
        lambda: {"parts": {"training": Y.astype(np.uint8)}, "class_names": NAMES, "title": ""},
        {"parts": [*MAPPING, *({"a": labels} for labels in LABELS[:-1])], "class_names": FEW, "title": TITLE},
    ),
    Row(
        "plot.accuracy_by_class",
        plot.accuracy_by_class,
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
        "plot.accuracies",
        plot.accuracies,
        lambda: {"scores": {"a": {"test": 0.5}}, "must_reach": 0.9, "title": ""},
        {
            "scores": [
                *MAPPING,
                *({"a": each} for each in (*MAPPING, {"test": 2.0}, dict.fromkeys("abcd", 0.5))),
                {"a": {"test": 0.5}, "b": {"training": 0.5}},
            ],
            "must_reach": [each for each in SHARE if each is not None],
            "title": TITLE,
        },
    ),
    Row(
        "plot.paired_comparison",
        plot.paired_comparison,
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
        "plot.weight_images",
        plot.weight_images,
        lambda: {"weight": np.ones((2, 1, 2, 2)), "names": NAMES, "label": "l", "title": "t"},
        {
            "weight": [
                *PICTURES,
                np.ones((2, 0, 3, 3)),
                np.ones((2, 2)),
                *MAPPING,
                *(
                    {"a": each}
                    for each in (np.ones((2, 2)), IMAGES, np.full((2, 2, 2), np.nan), np.ones((41, 2, 2)))
                ),
                {"a": np.ones((2, 2, 2)), "b": np.ones((3, 2, 2))},
            ],
            "names": OTHERS,
            "label": TITLE,
            "title": TITLE,
        },
    ),
    Row(
        "plot.predictions",
        plot.predictions,
        lambda: {
            "images": IMAGES,
            "target": Y,
            "probabilities": np.full((2, 2), 0.5),
            "class_names": NAMES,
            "select": "hardest",
            "most": np.uint8(24),
            "likeliest": np.uint8(1),
            "row_names": ["a", "b"],
            "title": "t",
        },
        {
            "images": PICTURES,
            "target": LABELS,
            "probabilities": P,
            "class_names": OTHERS,
            "select": CHOICE,
            "most": MOST,
            "likeliest": [*COUNT, 10**6],
            "row_names": ["ab", 3, None, {}, ["a"] * 3, [1.5]],
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
            "model": [
                *(None, 3, "relu", nn.ReLU, lambda x: x, nn.Sequential()),
                *({}, {3: np.ones(2)}, {"a": None}, {"a": np.ones((2, 2))}, {"a": np.full(2, np.nan)}),
            ],
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
    Row(
        "plot.kernel_responses",
        plot.kernel_responses,
        lambda: {"kernels": {"k": X}, "images": {"i": X}, "responses": {"i": {"k": X}}, "title": ""},
        {
            "kernels": [*MAPPING, {"k": np.ones(3)}],
            "images": [*MAPPING, {"i": np.ones(3)}],
            "responses": [*MAPPING, {"i": {"k": np.ones(3)}}, {"i": {"other": X}}, {"other": {"k": X}}],
            "title": TITLE,
        },
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
        "plot.Surface",
        plot.Surface,
        lambda: {"title": "t", "x": X, "y": Y, "model": halves, "support": np.array([1])},
        {
            "title": TITLE,
            "x": POINTS,
            "y": [*ARRAY, np.array([0, 9]), np.array([-1, 0]), np.array([0.0, 1.0])],
            "model": [None, *FUNCTION],
            "support": [*ARRAY[1:], np.array([2]), np.array([-1]), np.array([0.5])],
        },
    ),
    Row(
        "plot.surfaces",
        plot.surfaces,
        lambda: {"shown": [surface()], "class_names": NAMES, "columns": np.int64(1), "title": ""},
        {
            "shown": SURFACES,
            "class_names": [*FEW, list("abcdefghi")],
            "columns": POSITIVE[1:],
            "title": TITLE,
        },
    ),
    Row(
        "plot.film",
        plot.film,
        lambda: {"frames": [surface()], "class_names": NAMES, "title": ""},
        {"frames": [*SURFACES[:-1], [None]], "class_names": [*FEW, list("abcdefghi")], "title": TITLE},
    ),
    Row(
        "plot.Fit",
        plot.Fit,
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
        "plot.fits",
        plot.fits,
        lambda: {"shown": [plot.Fit("t", X[0], X[1], {"a": (1.0, 0.0)})], "title": ""},
        {"shown": [None, 3, "a", [], [3], [None], {}], "title": TITLE},
    ),
    *(
        Row(
            f"plot.{draw.__name__}",
            draw,
            lambda: {"recorder": recorded(), "title": ""},
            {"recorder": RECORDER, "title": TITLE},
        )
        for draw in (plot.gradient_flow, plot.update_ratios, plot.dead_units)
    ),
    Row(
        "plot.activation_histograms",
        plot.activation_histograms,
        lambda: {"model": RECORDED_MODEL, "x": SAMPLES, "title": ""},
        {
            "model": [None, 3, "mlp", nn.Linear, [nn.ReLU()]],
            "x": [*NOT_NUMBERS, np.ones((2, 3), np.float32), np.zeros((0, 4), np.float32)],
            "title": TITLE,
        },
    ),
    Row(
        "plot.loss_surface",
        plot.loss_surface,
        lambda: {
            "model": RECORDED_MODEL,
            "loss": nn.CrossEntropyLoss(),
            "x": SAMPLES,
            "target": TARGET,
            "directions": STEPS,
            "trajectory": None,
            "generator": None,
            "span": 1.0,
            "points": 3,
            "title": "",
        },
        {
            "model": [None, 3, "mlp", nn.Linear, [nn.ReLU()]],
            "loss": [None, "mse", nn.MSELoss, nn.CrossEntropyLoss(reduction="none")],
            "x": [*NOT_NUMBERS, np.ones((2, 3), np.float32), np.zeros((0, 4), np.float32)],
            "target": [*ARRAY, np.array([0.5]), np.array([9] * 40)],
            "directions": NO_STEPS,
            "trajectory": PATH,
            "generator": [3, "seed"],
            "span": ["1", None, 0.0, -1.0, float("nan"), float("inf"), [1.0], True],
            "points": [*POSITIVE, 1, 1000],
            "title": TITLE,
        },
    ),
]
