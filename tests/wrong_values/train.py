"""Rows for `npnet.train`, `npnet.fit`, and minibatches."""

import atexit
from functools import cache
from shutil import rmtree
from tempfile import mkdtemp

import numpy as np

from npnet import nn, optim
from npnet.data import ArrayDataset, as_dataset, count_minibatches, minibatches
from npnet.train import (
    Epoch,
    History,
    NumPyEngine,
    Recorder,
    RunningMetrics,
    diagnose,
    evaluate,
    evaluate_engine,
    fit,
    plain_step,
    predict,
    read_checkpoint,
    run,
)
from tests.wrong_values.table import (
    COUNT,
    FLAG,
    FLOAT_ARRAY,
    FUNCTION,
    GENERATOR,
    INTEGER,
    LABELS,
    POSITIVE,
    Row,
    masked,
    without,
)

X, Y = np.zeros((6, 2), np.float32), np.array([0, 1, 0, 1, 0, 1])
DATA = ArrayDataset(X, Y)

MODEL = [None, 3, "mlp", nn.Linear, [nn.ReLU()], np.zeros(3)]
LOSS = [None, "mse", nn.MSELoss, lambda y, t: 0.0, nn.CrossEntropyLoss(reduction="none")]
OPTIMIZER = [None, "sgd", 0.1, optim.SGD, {"lr": 0.1}]
ENGINE = [None, "numpy", NumPyEngine, nn.ReLU()]
DATASET = [
    None,
    3,
    1.5,
    "data",
    [],
    {},
    {"x": X, "y": Y},
    iter([(X[0], 0)]),
    (pair for pair in [(X[0], 0)]),
    X,
    np.zeros(3),
    set(),
    ArrayDataset,
    (X, Y[:3]),
    (masked(), Y[:2]),
    (X * 1j, Y),
    (X, [None] * 6),
]
SOURCE = [*without(GENERATOR, 0), -1, 1.5, True]  # None and seeds are welcome
CALLBACK = [*FUNCTION, True]
RECORDER = [3, "recorder", Recorder, [], True]
PROGRESS = [*FLAG, "loud", None]


def model_():
    return nn.Linear(2, 2, generator=np.random.default_rng(0))


def for_engine():
    model = model_()
    return {
        "model": model,
        "loss": nn.CrossEntropyLoss(),
        "optimizer": optim.SGD(model.parameters, lr=0.1),
        "schedule": None,
        "step": plain_step,
        "schedule_every": "epoch",
    }


def for_run():
    return {
        "data": (DATA, DATA),
        "epochs": 1,
        "batch_size": 4,
        "generator": np.random.default_rng(0),
        "patience": None,
        "keep_best": True,
        "drop_last": False,
        "checkpoint": None,
        "resume": False,
        "checkpoint_seconds": 300.0,
        "detect_anomaly": False,
        "progress": False,
        "on_epoch": None,
        "on_step": None,
        "on_backward": None,
        "recorder": None,
    }


def engine():
    model = model_()
    return NumPyEngine(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters, lr=0.1))


def recorded():
    recorder = Recorder()
    run(engine(), DATA, epochs=1, progress=False, recorder=recorder)
    return recorder


@cache
def written_checkpoint():
    folder = mkdtemp()
    atexit.register(rmtree, folder)
    run(engine(), DATA, epochs=1, progress=False, checkpoint=folder)
    return folder


SETTINGS = {
    "data": [*DATASET, (X, Y, X), (DATA, 3), (DATA, [])],
    "epochs": POSITIVE,
    "batch_size": POSITIVE,
    "generator": SOURCE,
    "patience": without(POSITIVE, None),
    "keep_best": [*FLAG, None],
    "drop_last": [*FLAG, None],
    "checkpoint": [3, "", "a\0b", b"runs", ["runs"], {}, True, "/dev/null", "/dev/null/runs"],
    "resume": [*FLAG, None, True],  # True goes with a folder
    "checkpoint_seconds": [None, 0, -1.0, float("nan"), float("inf"), "5", True, [5]],
    "detect_anomaly": [*FLAG, None],
    "progress": PROGRESS,
    "on_epoch": CALLBACK,
    "on_step": CALLBACK,
    "on_backward": CALLBACK,
    "recorder": RECORDER,
}

JUDGED = {"dataset": DATASET, "batch_size": POSITIVE}
EPOCH = {"epoch": 1, "train_loss": 1.0, "train_accuracy": None, "validation_loss": None,
         "validation_accuracy": None, "lr": 0.1, "seconds": 1.0, "samples_per_second": 6.0}  # fmt: skip
ANY_NUMBER = [None, "0.1", [0.1], True, 1j, np.array([1.0, 2.0])]
AN_ARRAY = [None, 3.0, "x", [1.0], {}, np.array(["a", "b"]), np.array([None, 1]), masked(), np.zeros((1, 2))]


EVERY = [None, "batch", 1, True, ["step"], b"step"]


def line_of_epoch(epochs):
    return Epoch(**EPOCH).line(epochs)


def add_to_tally(loss, divisor, y, target, ignore_index):
    RunningMetrics().add(loss, divisor, y, target, ignore_index)


ROWS = [
    Row(
        "npnet.fit",
        fit,
        lambda: for_engine() | for_run(),
        {
            "model": MODEL,
            "loss": LOSS,
            "optimizer": OPTIMIZER,
            "schedule": [3, "step", optim.StepLR],
            "schedule_every": EVERY,
            "step": FUNCTION,  # None stands for all cores
            **SETTINGS,
        },
    ),
    Row("npnet.train.run", run, lambda: {"engine": engine(), **for_run()}, {"engine": ENGINE, **SETTINGS}),
    Row(
        "npnet.train.NumPyEngine",
        NumPyEngine,
        for_engine,
        {
            "model": MODEL,
            "loss": LOSS,
            "optimizer": OPTIMIZER,
            "schedule": [3, "step", optim.StepLR],
            "schedule_every": EVERY,
            "step": [None, *FUNCTION],
        },
    ),
    Row(
        "npnet.train.evaluate_engine",
        evaluate_engine,
        lambda: {"engine": engine(), "dataset": DATA, "batch_size": 4, "stop_if_asked": lambda: None},
        {"engine": ENGINE, **JUDGED, "stop_if_asked": [None, *FUNCTION]},
    ),
    Row(
        "npnet.train.evaluate",
        evaluate,
        lambda: {"model": model_(), "loss": nn.CrossEntropyLoss(), "dataset": DATA, "batch_size": 4},
        {"model": MODEL, "loss": LOSS, **JUDGED},
    ),
    Row(
        "npnet.train.predict",
        predict,
        lambda: {"model": model_(), "dataset": DATA, "batch_size": 4},
        {
            "model": MODEL,
            "dataset": [value for value in DATASET if type(value) is not np.ndarray],  # samples alone do
            "batch_size": POSITIVE,
        },
    ),
    Row(
        "npnet.train.read_checkpoint",
        read_checkpoint,
        lambda: {"path": written_checkpoint()},
        {"path": [None, 3, "", "a\0b", b"runs", ["runs"], {}]},
    ),
    Row(
        "npnet.train.History",
        History,
        lambda: {
            "epochs": [],
            "best_epoch": None,
            "interrupted": False,
            "stopped_early": False,
            "stopped_by_callback": False,
            "diverged": False,
            "notes": [],
        },
        {
            "epochs": [None, 3, "x", {}, [3], (1,)],
            "best_epoch": without(COUNT, None),
            "interrupted": FLAG,
            "stopped_early": FLAG,
            "stopped_by_callback": FLAG,
            "diverged": FLAG,
            "notes": [None, 3, "x", [3]],
        },
    ),
    Row(
        "npnet.data.minibatches",
        minibatches,
        lambda: {"dataset": DATA, "batch_size": 4, "generator": None, "drop_last": False, "start": 0},
        {
            "dataset": DATASET,
            "batch_size": POSITIVE,
            "generator": GENERATOR,
            "drop_last": [*FLAG, None],
            "start": [*COUNT, 3],
        },
    ),
    Row(
        "npnet.data.count_minibatches",
        count_minibatches,
        lambda: {"dataset": DATA, "batch_size": 4, "drop_last": False},
        {"dataset": DATASET, "batch_size": POSITIVE, "drop_last": [*FLAG, None]},
    ),
    Row(
        "npnet.data.as_dataset",
        as_dataset,
        lambda: {"x": X, "y": Y},
        {
            "x": [3, "x", {}, masked(), X * 1j, X[:3], np.full((6, 2), "a"), np.array([None] * 6)],
            "y": [3, "y", {}, masked(), X * 1j, Y[:3], np.array([None] * 6)],
        },
    ),
    Row(
        "npnet.train.plain_step",
        plain_step,
        lambda: {
            "model": model_(),
            "loss": nn.CrossEntropyLoss(),
            "x": X,
            "target": Y,
            "generator": np.random.default_rng(0),
        },
        {
            "model": MODEL,
            "loss": LOSS,
            "x": FLOAT_ARRAY,
            "target": LABELS,
            "generator": [None, *GENERATOR],
        },
    ),
    Row(
        "npnet.train.Epoch",
        Epoch,
        lambda: dict(EPOCH),
        {name: without(ANY_NUMBER, *([None] if EPOCH[name] is None else [])) for name in EPOCH}
        | {"epoch": POSITIVE},
    ),
    Row("Epoch.line", line_of_epoch, lambda: {"epochs": 3}, {"epochs": POSITIVE}),
    Row(
        "RunningMetrics.add",
        add_to_tally,
        lambda: {"loss": 1.0, "divisor": 6.0, "y": X, "target": Y, "ignore_index": None},
        {
            "loss": ANY_NUMBER,
            "divisor": ANY_NUMBER,
            "y": AN_ARRAY,
            "target": AN_ARRAY,
            "ignore_index": without(INTEGER, None),
        },
    ),
    Row(
        "npnet.train.Recorder",
        Recorder,
        lambda: {"model": model_(), "loss": nn.CrossEntropyLoss(), "samples": 6, "most": 4},
        {
            "model": without(MODEL, None),
            "loss": without(LOSS, None),
            "samples": POSITIVE,
            "most": [*POSITIVE, 1],
        },
    ),
    Row(
        "npnet.train.diagnose",
        diagnose,
        lambda: {"recorder": recorded(), "history": History()},
        {"recorder": [None, *RECORDER, Recorder()], "history": [3, "history", History, []]},
    ),
]
