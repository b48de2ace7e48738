"""Every operation, and every layer of `npnet.nn` but the containers: their examples, a file for each kind."""

from inspect import signature

import numpy as np

from tests.examples import activations, conv2d, dropout, flatten, linear, losses, normalization, pooling

KINDS = (linear, conv2d, pooling, activations, losses, normalization, dropout, flatten)

CASES = [case for kind in KINDS for case in kind.CASES]
# By the name of the operation: its arguments.
ARGUMENTS = {name: arguments for kind in KINDS for name, arguments in kind.ARGUMENTS.items()}
# The class of a layer, its arguments in order and by name, and the shape of an input.
LAYERS = {name: case for kind in KINDS for name, case in kind.LAYERS.items()}
# By the class of a layer that takes arguments: those.
CONSTRUCTORS = {layer: arguments for kind in KINDS for layer, arguments in kind.CONSTRUCTORS.items()}


def make(case, rng, dtype=np.float64):
    """Return the layer of a case, and the shape of its input."""
    kind, arguments, options, shape = LAYERS[case]
    taken = signature(kind).parameters
    more = {name: value for name, value in {"generator": rng, "dtype": dtype}.items() if name in taken}
    return kind(*arguments, **options, **more), shape


def one_of_each():
    """Return a layer of each class, in float64, and an input of ones, by the name of the class."""
    cases = {kind.__name__: case for case, (kind, *_) in reversed(LAYERS.items())}
    made = {name: make(case, np.random.default_rng(0)) for name, case in cases.items()}
    return {name: (layer, np.ones(shape)) for name, (layer, shape) in made.items()}
