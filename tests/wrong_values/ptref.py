"""Rows for `ptref`, but its training."""

import numpy as np
import torch

from npnet import functional as F
from npnet import nn
from ptref import bounds, convert, models, strategies, table
from ptref.draw import Seeded, make_array
from ptref.parity import assert_parity, compare, markdown, run_table
from ptref.rows import row
from tests.wrong_values.table import (
    CHOICE,
    COUNT,
    DTYPE,
    FLAG,
    FUNCTION,
    GENERATOR,
    NOT_NEGATIVE,
    POSITIVE,
    PROBABILITY,
    Row,
    masked,
    without,
)

MODULE = [None, 3, "relu", torch.nn.ReLU, nn.ReLU(), torch.nn.Linear(2, 2).state_dict(), torch.ones(2)]
LAYER = [None, 3, "relu", nn.ReLU, torch.nn.ReLU(), {"weight": np.ones(2)}, np.ones(2)]
NOT_FOR_X = [
    3.0,
    "x",
    [1.0],
    torch.ones(2),
    np.ones(2, np.float16),
    np.array(["a"]),
    np.array([1j]),
    np.array([None]),
    np.ones((1, 1)).view(np.matrix),
    masked(),
    None,
]
SHAPE = [None, 3, "3", [2, 3], (2, -1), (1.5,), (True,), {}]
STRING = [3, 1.5, [], {}, b"relu"]
KIND = [3, "nonsense", ["ordinary"]]


class Own(nn.Layer):
    def apply(self, x, *, training, generator):
        return x, lambda grad_y: grad_y


class Theirs(torch.nn.Module):
    def forward(self, x):
        return x


def compared(call):
    def run(
        subject, reference, x, options, seed, rule, state, training, names, layouts, vary, device, explain
    ):
        return call(
            subject,
            reference,
            x,
            options=options,
            seed=seed,
            rule=rule,
            state=state,
            training=training,
            names=names,
            layouts=layouts,
            vary=vary,
            device=device,
            explain=explain,
        )

    return run


def comparison():
    return {
        "subject": F.relu,
        "reference": torch.relu,
        "x": np.ones(2),
        "options": None,
        "seed": 0,
        "rule": bounds.measured,
        "state": (),
        "training": True,
        "names": None,
        "layouts": True,
        "vary": True,
        "device": "cpu",
        "explain": True,
    }


COMPARED = {
    "subject": [*FUNCTION, None, np.ones(2)],
    "reference": [*FUNCTION, None, np.ones(2), torch.ones(2)],
    "x": NOT_FOR_X,
    "options": ["dim", 3, [1]],
    "seed": COUNT,
    "rule": [None, "sums", 3, bounds.sums],
    "state": [None, 0, "0", {}, (1,), (-1,), (0.5,), ("x",)],
    "training": [*FLAG, None],
    "names": ["weight", 3, [1]],
    "layouts": [*FLAG, None],
    "vary": [*FLAG, None],
    "device": [None, "tpu", 3, ["cpu"]],
    "explain": [*FLAG, None],
}


def drawn_case(name, dtype):
    return strategies.cases(name, dtype)


def printed(op, dtype, device, examples, seed):
    return run_table(op, dtype, device, examples, seed=seed)


def pair():
    return {
        "layer": Own,
        "module": Theirs,
        "to_torch": lambda layer: Theirs(),
        "from_torch": lambda module: Own(),
    }


ROWS = [
    Row("ptref.parity.compare", compared(compare), comparison, COMPARED),
    Row("ptref.parity.assert_parity", compared(assert_parity), comparison, COMPARED),
    Row(
        "ptref.parity.run_table",
        printed,
        lambda: {"op": "relu", "dtype": "float64", "device": "cpu", "examples": 1, "seed": 0},
        {
            "op": [*STRING, "", "conv9d"],
            "dtype": ["float16", 3, np.float32, ["float64"]],
            "device": [None, "tpu", 3, ["cpu"]],
            "examples": POSITIVE,
            "seed": COUNT,
        },
    ),
    Row(
        "ptref.parity.markdown",
        lambda examples, seed: markdown(examples, seed=seed),
        lambda: {"examples": 1, "seed": 0},
        {"examples": POSITIVE, "seed": COUNT},
    ),
    Row(
        "ptref.table.measure",
        table.measure,
        lambda: {
            "which": row("relu"),
            "dtype": np.dtype(np.float32),
            "examples": 1,
            "device": "cpu",
            "seed": 0,
        },
        {
            "which": [None, "relu", 3],
            "dtype": DTYPE,
            "examples": POSITIVE,
            "device": [None, "tpu", 3],
            "seed": COUNT,
        },
    ),
    Row(
        "ptref.rows.row",
        row,
        lambda: {"name": "relu", "argument": "name"},
        {"name": [*STRING, None, "", "conv9d"]},
        {"argument": "a word for the message"},
    ),
    Row(
        "ptref.convert.to_torch",
        convert.to_torch,
        lambda: {"model": nn.ReLU()},
        {"model": LAYER},
    ),
    Row(
        "ptref.convert.from_torch",
        convert.from_torch,
        lambda: {"module": torch.nn.ReLU()},
        {"module": [*MODULE, torch.nn.GELU(), Theirs]},
    ),
    Row(
        "ptref.convert.parameter_map",
        convert.parameter_map,
        lambda: {"module": torch.nn.ReLU()},
        {"module": MODULE},
    ),
    Row(
        "ptref.convert.register",
        convert.register,
        pair,
        {
            "layer": [None, 3, "Own", Own(), Theirs, nn.ReLU, nn.Layer, nn.Sequential],
            "module": [None, 3, "Theirs", Theirs(), Own, torch.nn.ReLU, torch.nn.Module],
            "to_torch": [*FUNCTION, None],
            "from_torch": [*FUNCTION, None],
        },
    ),
    Row(
        "ptref.convert.Residual",
        convert.Residual,
        lambda: {"body": torch.nn.ReLU(), "shortcut": None},
        {"body": MODULE, "shortcut": without(MODULE, None)},
    ),
    Row(
        "ptref.draw.make_array",
        make_array,
        lambda: {
            "shape": (2,),
            "dtype": np.float32,
            "values": "ordinary",
            "layout": "contiguous",
            "seed": 0,
        },
        {"shape": SHAPE, "dtype": DTYPE, "values": CHOICE, "layout": CHOICE, "seed": COUNT},
    ),
    Row(
        "ptref.draw.Seeded",
        Seeded,
        lambda: {"generator": np.random.default_rng(0)},
        {"generator": [*GENERATOR, None]},
    ),
    Row(
        "ptref.strategies.arrays",
        strategies.arrays,
        lambda: {"shape": "n", "dtype": None, "values": None, "layout": None},
        {
            "shape": [*without(SHAPE, "3")[:2], (2, -1), (1.5,), {}],
            "dtype": without(DTYPE, None),
            "values": KIND,
            "layout": KIND,
        },
    ),
    Row(
        "ptref.strategies.cases",
        drawn_case,
        lambda: {"name": "relu", "dtype": None},
        {"name": [*STRING, None, "conv9d"], "dtype": without(DTYPE, None)},
    ),
    Row(
        "ptref.strategies.chosen",
        strategies.chosen,
        lambda: {"build": lambda choose: choose.integer(0, 1)},
        {"build": [*FUNCTION, None]},
    ),
    Row(
        "ptref.strategies.labels",
        strategies.labels,
        lambda: {"shape": (2,), "classes": 3, "dtypes": (np.int64,)},
        {
            "shape": SHAPE,
            "classes": POSITIVE,
            "dtypes": [None, np.int64, "int64", (), [np.float32], (None,), ("nonsense",)],
        },
    ),
    Row(
        "ptref.strategies.shapes",
        strategies.shapes,
        lambda: {"axes": "n c", "least": 1, "most": 5},
        {"axes": [*STRING, None, (2, 3)], "least": [*COUNT, 6], "most": [*COUNT, 0]},
    ),
    Row(
        "ptref.strategies.values",
        strategies.values,
        lambda: {"finite": True},
        {"finite": [*FLAG, None]},
    ),
    Row("ptref.bounds.relative", bounds.relative, lambda: {"length": 2.0}, {"length": NOT_NEGATIVE}),
    Row("ptref.bounds.sums", bounds.sums, lambda: {"length": None}, {"length": FUNCTION}),
    Row(
        "ptref.models.LogisticRegression",
        models.LogisticRegression,
        lambda: {"features": 4, "classes": 2},
        {"features": POSITIVE, "classes": POSITIVE},
    ),
    Row(
        "ptref.models.MLP",
        models.MLP,
        lambda: {"sizes": [2, 2], "activation": "relu", "batch_norm": False},
        {
            "sizes": [[2], [2, 0], [2, 1.5], [2, "2"], [True, 2]],
            "activation": ["nonsense"],
            "batch_norm": [*FLAG, None],
        },
    ),
    Row(
        "ptref.models.LeNet5",
        models.LeNet5,
        lambda: {"in_channels": 1, "image_size": 28, "classes": 10},
        {"in_channels": POSITIVE, "image_size": POSITIVE, "classes": POSITIVE},
    ),
    Row("ptref.models.SignsSmall", models.SignsSmall, lambda: {"classes": 24}, {"classes": POSITIVE}),
    Row(
        "ptref.models.SignsDeep",
        models.SignsDeep,
        lambda: {"classes": 24, "dropout": 0.5},
        {"classes": POSITIVE, "dropout": PROBABILITY},
    ),
    Row(
        "ptref.models.AirplaneBirdMLP",
        models.AirplaneBirdMLP,
        lambda: {"hidden": 4, "log_softmax": True},
        {"hidden": POSITIVE, "log_softmax": [*FLAG, None]},
    ),
    Row(
        "ptref.models.AirplaneBirdConv",
        models.AirplaneBirdConv,
        lambda: {"channels": (2, 2), "hidden": 4, "activation": "tanh"},
        {
            "channels": [None, 3, "ab", (2,), (2, 2, 2), (2, 0), (2, 1.5)],
            "hidden": POSITIVE,
            "activation": ["nonsense"],
        },
    ),
]
