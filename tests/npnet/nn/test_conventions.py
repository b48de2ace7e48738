"""The same thing is done in the same way everywhere: properties, methods, apply, and needs."""

import inspect

import numpy as np
import pytest

from npnet import nn, optim
from tests.wrong_values.nn import layers

CLASSES = [getattr(nn, name) for name in nn.__all__ if isinstance(getattr(nn, name), type)]
BASES = (nn.Layer, nn.Loss)
OPERATIONS = [
    cls for cls in CLASSES if issubclass(cls, BASES) and cls not in (*BASES, nn.Sequential, nn.Residual)
]
LAYERS = {type(layer): (layer, x) for layer, x in layers().values()}


@pytest.mark.parametrize("cls", OPERATIONS, ids=lambda cls: cls.__name__)
def test_a_layer_or_a_loss_implements_apply_and_is_run_by_the_forward_of_its_base(cls):
    base = nn.Layer if issubclass(cls, nn.Layer) else nn.Loss
    assert cls.apply is not base.apply
    assert cls.forward is base.forward
    assert cls.__call__ is base.__call__


@pytest.mark.parametrize("cls", [nn.Sequential, nn.Residual])
def test_a_container_implements_forward_alone(cls):
    assert cls.forward is not nn.Layer.forward
    assert cls.apply is nn.Layer.apply


@pytest.mark.parametrize("cls", [cls for cls in LAYERS if cls in OPERATIONS], ids=lambda cls: cls.__name__)
def test_a_backward_takes_needs_where_there_are_several_gradients_and_nowhere_else(cls):
    layer, x = LAYERS[cls]
    y, backward = layer.apply(x, training=True, generator=np.random.default_rng(0))
    grads = backward(np.ones_like(y))
    assert isinstance(grads, tuple) == bool(layer.parameter_names)
    assert ("needs" in inspect.signature(backward).parameters) == isinstance(grads, tuple)


@pytest.mark.parametrize("cls", [nn.Layer, nn.Loss, optim.Optimizer, optim.Schedule])
def test_what_is_the_objects_own_has_no_brackets_and_what_is_made_or_copied_has(cls):
    own = {"parameters", "buffers", "frozen_parameters", "trainable", "children", "stages", "settings"}
    made = {"state_dict", "summary", "named_layers", "multiply_adds", "couples_samples", "forward", "step"}
    for name in own & vars_of(cls):
        assert isinstance(inspect.getattr_static(cls, name), property), name
    for name in made & vars_of(cls):
        assert inspect.isfunction(inspect.getattr_static(cls, name)), name


def vars_of(cls):
    return {name for base in cls.__mro__ for name in vars(base)}
