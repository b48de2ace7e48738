"""The loss around a model's weights, along two directions through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet._quiet import Silence
from npnet.errors import InputError
from npnet.nn import Layer, Loss
from npnet.nn.step import check_loss, check_model
from npnet.shapes import Float, Shaped

Direction = Mapping[str, ndarray]


def random_direction(model: Layer, generator: Generator) -> dict[str, ndarray]:
    """Draw a random direction in the space of weights, filter by filter as long as the weights.

    For each filter w_i of a weight, a row of ``weight.reshape(out, -1)``, it is g_i · ‖w_i‖ / ‖g_i‖ with g
    drawn from a normal distribution. So a step of 1 changes each filter by its own size, and surfaces of
    networks whose layers are scaled differently can be compared. Biases, and the scales of batch norms, stay.

    Parameters
    ----------
    model : Layer
    generator : numpy.random.Generator

    Returns
    -------
    direction : dict from parameter names to arrays

    Raises
    ------
    InputError
        If the model is none, or has no weight of two axes or more.

    References
    ----------
    H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein (2018), Visualizing the loss landscape of neural nets.

    Examples
    --------
    >>> from npnet import nn
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Linear(4, 3, generator=rng)
    >>> direction = random_direction(model, rng)
    >>> np.allclose(np.linalg.norm(direction["weight"], axis=1), np.linalg.norm(model.weight, axis=1))
    True
    """
    check_model("random_direction", model)
    check.generator("random_direction", generator)
    weights = {name: array for name, array in model.parameters.items() if array.ndim > 1}
    if not weights:
        raise InputError("random_direction: model must have a weight of two axes or more, got none")
    return {name: _as_long(generator.standard_normal(w.shape), w) for name, w in weights.items()}


def _as_long(drawn: ndarray, weight: ndarray) -> ndarray:
    rows, wanted = drawn.reshape(len(drawn), -1), weight.reshape(len(weight), -1).astype(np.float64)
    lengths = np.linalg.norm(wanted, axis=1, keepdims=True) / np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: ndarray = (rows * lengths).reshape(weight.shape)
    return scaled


def principal_directions(
    trajectory: Sequence[Mapping[str, ndarray]], centre: Mapping[str, ndarray]
) -> tuple[dict[str, ndarray], dict[str, ndarray]]:
    """Return the two directions, each of length 1, along which weights moved most, seen from a centre.

    They are the first two right singular vectors of the matrix whose rows are θ_t − θ.

    Parameters
    ----------
    trajectory : sequence of dicts from names to arrays
        The weights at three moments or more, such as ``model.state_dict()``.
    centre : dict from parameter names to arrays
        θ, the parameters that count; what else a moment holds is left out.

    Returns
    -------
    first, second : dict from parameter names to arrays

    Raises
    ------
    InputError
        If the moments are too few, do not fit, or lie on a line.

    Examples
    --------
    >>> moments = [{"w": np.array([a, b, 0.0])} for a, b in ((3.0, 0.0), (2.0, 1.0), (0.0, 0.0))]
    >>> first, second = principal_directions(moments, {"w": np.zeros(3)})
    >>> np.abs(first["w"]).round(2).tolist()
    [0.99, 0.16, 0.0]
    """
    owner = "principal_directions"
    check.mapping(owner, "centre", centre, "a dict from names to arrays")
    if not isinstance(trajectory, list | tuple) or len(trajectory) < 3:
        raise InputError(
            f"{owner}: trajectory must be a list of weights at 3 moments or more, got {_count_of(trajectory)}"
        )
    rows = [flat(owner, "trajectory", moment, centre) for moment in trajectory]
    apart = np.stack(rows) - flat(owner, "centre", centre, centre)
    _, sizes, vectors = np.linalg.svd(apart, full_matrices=False)
    if sizes[1] <= 1e-9 * sizes[0] or not sizes[0]:
        raise InputError(f"{owner}: trajectory must not lie on a line through the centre, but it does")
    return _named(vectors[0], centre), _named(vectors[1], centre)


def _count_of(value: Any) -> str:
    """Say what stands in the place of a list: its length, or what it is."""
    return str(len(value)) if isinstance(value, list | tuple) else check.described(value)


def flat(owner: str, name: str, arrays: Any, like: Mapping[str, ndarray]) -> Float[ndarray, " k"]:
    """Return arrays as one vector in float64.

    Parameters
    ----------
    owner, name : str
        What a message calls the function and the argument.
    arrays : mapping from names to arrays
        What is not wanted is left out.
    like : mapping from names to arrays
        Names, shapes and order of those that are wanted.

    Returns
    -------
    vector : array, shape (k,)

    Raises
    ------
    InputError
        If an array is missing or does not fit.
    """
    if not isinstance(arrays, Mapping):
        raise InputError(f"{owner}: {name} must be dicts from names to arrays, got {check.described(arrays)}")
    parts = []
    for key, array in like.items():
        if key not in arrays:
            raise InputError(f"{owner}: {name} must have '{key}', got {', '.join(map(repr, arrays)):.80}")
        value = check.finite(owner, name, check.array(owner, name, arrays[key], "f"))
        check.shape(owner, name, value, array.shape, f"like '{key}'")
        parts.append(value.astype(np.float64).ravel())
    return np.concatenate(parts)


def _named(vector: ndarray, like: Mapping[str, ndarray]) -> dict[str, ndarray]:
    places = np.cumsum([array.size for array in like.values()])[:-1]
    parts = np.split(vector, places)
    return {name: part.reshape(array.shape) for part, (name, array) in zip(parts, like.items(), strict=True)}


def loss_plane(
    model: Layer,
    loss: Loss,
    x: Shaped[ndarray, "n ..."],
    target: Shaped[ndarray, "n ..."],
    directions: tuple[Direction, Direction],
    a: Float[ndarray, " columns"],
    b: Float[ndarray, " rows"],
) -> Float[ndarray, "rows columns"]:
    """Return the loss in evaluation mode at θ + a·d₁ + b·d₂ for all a and b.

    A copy of the model is moved, so the model keeps its weights to the bit.

    Parameters
    ----------
    model : Layer
    loss : Loss
    x, target : array
        A minibatch.
    directions : (d₁, d₂)
        Dicts from parameter names to arrays of the parameters' shapes. Parameters that are left out stay.
    a, b : array
        How far to go along each.

    Returns
    -------
    losses : array, shape (rows, columns)
        Row i is at b[i], column j at a[j].

    Raises
    ------
    InputError
        If something does not fit.

    Examples
    --------
    >>> from npnet import nn
    >>> line = nn.Linear(1, 1, bias=False, generator=np.random.default_rng(0), dtype=np.float64)
    >>> line.weight = np.array([[2.0]])
    >>> x, step = np.array([[1.0]]), {"weight": np.array([[1.0]])}
    >>> loss_plane(line, nn.MSELoss(), x, 2 * x, (step, step), np.array([0.0, 1.0]), np.array([0.0]))
    array([[0., 1.]])
    """
    owner = "loss_plane"
    check_model(owner, model)
    check_loss(owner, loss)
    for name, array in (("x", x), ("target", target), ("a", a), ("b", b)):
        check.array(owner, name, array)
    first, second = (_direction(owner, model, direction) for direction in _pair(owner, directions))
    twin = deepcopy(model)
    moved = {name: twin.parameters[name] for name in {**first, **second}}
    centre = {name: array.astype(np.float64) for name, array in moved.items()}
    losses = np.empty((len(b), len(a)))
    with Silence():
        for i, j in np.ndindex(losses.shape):
            for name, array in moved.items():
                array[...] = centre[name] + a[j] * first.get(name, 0.0) + b[i] * second.get(name, 0.0)
            losses[i, j] = loss(twin(x), target)
    return losses


def _pair(owner: str, directions: Any) -> tuple[Any, Any]:
    if not isinstance(directions, list | tuple) or len(directions) != 2:
        raise InputError(f"{owner}: directions must be two dicts, got {_count_of(directions)}")
    return directions[0], directions[1]


def _direction(owner: str, model: Layer, direction: Any) -> dict[str, ndarray]:
    """Return a direction in float64 that fits the model's parameters."""
    check.mapping(owner, "directions", direction, "dicts from parameter names to arrays")
    found = {}
    for name, array in direction.items():
        if name not in model.parameters:
            known = ", ".join(map(repr, model.parameters))
            raise InputError(
                f"{owner}: directions must have names of parameters, {known:.120}, got {name!r:.60}"
            )
        value = check.finite(owner, "directions", check.array(owner, "directions", array, "f"))
        check.shape(owner, "directions", value, model.parameters[name].shape, f"like '{name}'")
        found[name] = value.astype(np.float64)
    if not found:
        raise InputError(f"{owner}: directions must move a parameter each, got an empty dict")
    return found
