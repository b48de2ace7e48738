"""Rows for `npnet.nn`, without its losses, and for `npnet.models`."""

import numpy as np

from npnet import models, nn
from npnet.nn.init import initial
from tests.examples.operations import CONSTRUCTORS, one_of_each
from tests.wrong_values.table import (
    ARRAY,
    CHOICE,
    DRAWN,
    DTYPE,
    FLAG,
    FLOAT_ARRAY,
    GENERATOR,
    INTEGER,
    POSITIVE,
    PROBABILITY,
    TEXT,
    Row,
    drawn,
    without,
)

SHAPE = [None, "3", 1.5, True, (1, "2"), (1.0, 2.0), {}, -1, (3, -1)]
LAYER = [None, "relu", nn.ReLU, np.tanh, 3]


class Scale(nn.Layer):
    parameter_names = ("scale",)
    buffer_names = ("count",)

    def __init__(self):
        self.scale = np.ones(3)
        self.count = np.zeros((), int)

    def apply(self, x, *, training, generator):
        return x * self.scale, lambda grad_y, needs: (grad_y * self.scale, (grad_y * x).sum(axis=0))


def net():
    rng = np.random.default_rng(0)
    return nn.Sequential(nn.Linear(3, 2, generator=rng, dtype=np.float64), nn.ReLU())


def layers():
    image = np.ones((2, 3, 4, 4))
    return {
        **one_of_each(),
        "Sequential": (nn.Sequential(nn.ReLU()), image),
        "Sequential of nothing": (nn.Sequential(), image),
        "Residual": (nn.Residual(nn.ReLU()), image),
        "a layer of one's own": (Scale(), np.ones((2, 3))),
    }


def running(name):
    """Return rows for running a layer forward and backward."""

    def forward(x, training, generator):
        return layers()[name][0].forward(x, training=training, generator=generator)

    def inference(x):
        return layers()[name][0](x)

    def backward(grad_y, needs_grad_x):
        layer, x = layers()[name]
        return layer.forward(x, generator=np.random.default_rng(0))[1](grad_y, needs_grad_x=needs_grad_x)

    def backward_for_parameters(grad_y):
        layer, x = layers()[name]
        return layer.forward(x, generator=np.random.default_rng(0))[1](grad_y, needs_grad_x=False)

    def good_grad():
        layer, x = layers()[name]
        return np.ones_like(layer.forward(x, generator=np.random.default_rng(0))[0])

    x = layers()[name][1]
    own = name == "a layer of one's own"  # what it takes is its own affair, but for its being an array
    no_array = [value for value in ARRAY if type(value) is not np.ndarray]
    wrong_x = no_array if own or name == "Sequential of nothing" else FLOAT_ARRAY
    wrong_grad = no_array if own else [*FLOAT_ARRAY, np.ones(x.shape, np.float32)]
    return [
        Row(
            f"{name}.forward",
            forward,
            lambda: {"x": layers()[name][1], "training": True, "generator": np.random.default_rng(0)},
            {"x": wrong_x, "training": FLAG, "generator": GENERATOR},
        ),
        Row(f"{name}(x)", inference, lambda: {"x": layers()[name][1]}, {"x": wrong_x}),
        Row(
            f"backward of {name}",
            backward,
            lambda: {"grad_y": good_grad(), "needs_grad_x": True},
            {"grad_y": wrong_grad, "needs_grad_x": FLAG},
        ),
        Row(
            f"backward of {name} for parameters alone",
            backward_for_parameters,
            lambda: {"grad_y": good_grad()},
            {"grad_y": wrong_grad},
        ),
    ]


def row(call, good, wrong, free=None):
    name = getattr(call, "__name__", str(call))
    module = "npnet.models" if name in models.__all__ else "npnet.nn"
    return Row(f"{module}.{name}", call, good, wrong, free or {})


def make_sequential(layers):
    return nn.Sequential(layers)


def make_layer(parameter_names, buffer_names, setting_names, apply, forward):
    names = {
        "parameter_names": parameter_names,
        "buffer_names": buffer_names,
        "setting_names": setting_names,
    }
    return type("Own", (nn.Layer,), names | {"apply": apply, "forward": forward})


def assign_parameter(scale):
    Scale().scale = scale


def assign_buffer(count):
    Scale().count = count


def first_parameter(scale):
    class First(Scale):
        def __init__(self):
            self.scale = scale
            self.count = None

    First()


def assign_to_parameters(name, weight):
    net().parameters[name] = weight


def assign_to_buffers(name, running_mean):
    nn.BatchNorm1d(3, dtype=np.float64).buffers[name] = running_mean


def index(index):
    return nn.Sequential(nn.ReLU(), nn.Tanh())[index]


def exchange(layers):
    nn.Sequential(nn.ReLU(), nn.Tanh()).layers["0"] = layers


def freeze(names):
    net().freeze(names)


def unfreeze(names):
    net().unfreeze(names)


def load_state_dict(state):
    net().load_state_dict(state)


def load_weight(weight):
    model = net()
    model.load_state_dict(model.state_dict() | {"0.weight": weight})


def astype(dtype):
    net().astype(dtype)


def summary(input_shape):
    return net().summary(input_shape)


ROWS = [
    *(row(layer, each.good, each.wrong) for layer, each in CONSTRUCTORS.items()),
    row(
        nn.Residual,
        lambda: {"body": nn.ReLU(), "shortcut": None},
        {"body": LAYER, "shortcut": without(LAYER, None)},
    ),
    row(
        make_sequential,
        lambda: {"layers": nn.ReLU()},
        {"layers": [*LAYER, {"a.b": nn.ReLU()}, {3: nn.ReLU()}, {"": nn.ReLU()}, {"a": nn.ReLU}]},
    ),
    row(
        make_layer,
        lambda: {
            "parameter_names": ("w",),
            "buffer_names": (),
            "setting_names": (),
            "apply": Scale.apply,
            "forward": nn.Layer.forward,
        },
        {
            "parameter_names": ["w", None, 3, (3,)],
            "buffer_names": ["w", None, 3, (3,)],
            "setting_names": ["w", None, 3, (3,)],
            "apply": [lambda self, x: (x, None), 3],
            "forward": [lambda self, x: (x, None), 3],
        },
    ),
    row(
        initial,
        lambda: {
            "shape": (3, 2),
            "bias": True,
            "init": "default",
            "generator": np.random.default_rng(0),
            "dtype": np.float32,
            "owner": "Own",
        },
        {"shape": [None, 3, (3,), ("3", 2), (3, 0)], "bias": FLAG, **DRAWN},
        {"owner": "a word for messages"},
    ),
    row(
        assign_parameter,
        lambda: {"scale": np.zeros(3)},
        {"scale": [*without(FLOAT_ARRAY, None), np.ones(4), np.ones(3, np.float32)]},
    ),
    row(
        assign_buffer,
        lambda: {"count": np.array(1)},
        {"count": [*without(ARRAY, None), 1, np.array(1.0), np.ones(3, int)]},
    ),
    row(first_parameter, lambda: {"scale": np.zeros(3)}, {"scale": without(FLOAT_ARRAY, None)}),
    row(
        assign_to_parameters,
        lambda: {"name": "0.weight", "weight": np.ones((2, 3))},
        {"name": ["weight", 3, None], "weight": [*FLOAT_ARRAY, np.ones(3)]},
    ),
    row(
        assign_to_buffers,
        lambda: {"name": "running_mean", "running_mean": np.ones(3)},
        {"name": ["weight", 3, None], "running_mean": [*FLOAT_ARRAY, np.ones(4)]},
    ),
    row(
        index,
        lambda: {"index": np.int8(-1)},
        {"index": [*without(INTEGER, "3"), "3", 2, -3, slice(None, "1"), slice(None, None, 0)]},
    ),
    row(exchange, lambda: {"layers": nn.ReLU()}, {"layers": [nn.ReLU, None, 3, "ReLU", {}]}),
    row(freeze, lambda: {"names": "0"}, {"names": [*TEXT, None, "1", "weight"]}),
    row(unfreeze, lambda: {"names": "0"}, {"names": [*TEXT, None, "1", "weight"]}),
    row(
        load_state_dict,
        lambda: {"state": net().state_dict()},
        {"state": [None, 3, [], {}, {"0.weight": np.ones((2, 3))}, {3: 1}]},
    ),
    row(
        load_weight,
        lambda: {"weight": np.ones((2, 3), np.float32)},
        {"weight": [*without(ARRAY, None), None, np.ones((2, 3)) * 1j, np.ones((3, 2))]},
    ),
    row(astype, lambda: {"dtype": np.float32}, {"dtype": DTYPE}),
    row(summary, lambda: {"input_shape": 3}, {"input_shape": SHAPE}),
    *(line for name in layers() for line in running(name)),
    # ---- npnet.models
    row(
        models.logistic_regression,
        drawn(features=3, classes=2),
        {"features": POSITIVE, "classes": POSITIVE, **DRAWN},
    ),
    row(
        models.mlp,
        drawn(sizes=[3, 4, 2], activation="relu", batch_norm=False),
        {
            "sizes": [None, 3, "34", [], [3], [3, "4"], [3, 0], [3, 1.5], {3, 4}, np.ones((2, 2), int)],
            "activation": CHOICE,
            "batch_norm": FLAG,
            **DRAWN,
        },
    ),
    row(
        models.lenet5,
        drawn(in_channels=1, image_size=28, classes=10),
        {"in_channels": POSITIVE, "image_size": [*POSITIVE, 8], "classes": POSITIVE, **DRAWN},
    ),
    row(models.signs_small, drawn(classes=24), {"classes": POSITIVE, **DRAWN}),
    row(
        models.signs_deep,
        drawn(classes=24, dropout=0.5),
        {"classes": POSITIVE, "dropout": PROBABILITY, **DRAWN},
    ),
    row(
        models.airplane_bird_mlp,
        drawn(hidden=4, log_softmax=True),
        {"hidden": POSITIVE, "log_softmax": FLAG, **DRAWN},
    ),
    row(
        models.airplane_bird_conv,
        drawn(channels=(2, 3), hidden=4, activation="tanh"),
        {
            "channels": [None, 3, (3,), (3, "4"), (3, 0), (1.5, 2)],
            "hidden": POSITIVE,
            "activation": CHOICE,
            **DRAWN,
        },
    ),
]
