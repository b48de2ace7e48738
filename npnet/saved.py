"""Complete models on disk: weights, architecture, class names, and the way from raw data to x.

`save` writes one safetensors file. Its arrays are the weights under PyTorch's names, so that PyTorch and
`npnet.checkpoint.load_weights` read it too; its metadata holds the rest as JSON. `load` returns a
`SavedModel`, which takes raw rows or pictures.

A file is not trusted: nothing that it names is imported or run, and no array is made that it does not hold.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np

from npnet import __version__, check, checkpoint
from npnet._architecture import build, describe
from npnet._saved_model import SavedModel
from npnet.data import ImageFormat, RowFormat, Splits, Standardization, minibatches
from npnet.data._targets import as_columns
from npnet.errors import InputError
from npnet.nn import Layer

__all__ = ["SavedModel", "load", "save"]

KEY = "npnet"  # of the description in the file's metadata
VERSION = 1  # of the description
LONGEST = 2**26  # characters of a description


def save(path: str | PathLike[str], model: Layer, data: Splits[Any] | None = None) -> None:
    """Write a model, with the way from raw data to its input, to one safetensors file.

    Parameters
    ----------
    path : str or path
        The file to write; its folder must exist. It is replaced atomically: if anything fails, an old file
        stays as it was.
    model : Layer
        Layers of `npnet.nn` and of your own. The arguments of your layers' constructors must be layers
        within, or numbers and text that `setting_names` names.
    data : Splits, optional
        The data it was trained on; class names, standardisation and format are saved, samples are not.
        Without it the file has weights and architecture alone.

    Raises
    ------
    InputError
        If the file cannot be written, a layer cannot be described by its settings, or the model does not fit
        the data.

    Examples
    --------
    >>> import tempfile
    >>> from npnet import nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, generator=np.random.default_rng(0)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/model.safetensors", model)
    ...     load(f"{folder}/model.safetensors").model
    Sequential(
      (0): Flatten()
      (1): Linear(64, 10)
    )
    """
    check.instance("save", "model", model, Layer, "a layer")
    if data is not None:
        check.instance("save", "data", data, Splits, "Splits, such as npnet.data.csv gives, or None")
        _check_fits(model, data)
    state = model.state_dict()
    content = {"npnet": __version__, "version": VERSION, "model": describe(model)}
    if data is not None:
        content |= _about(data)
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    checkpoint.save(path, state, {KEY: text})


def load(path: str | PathLike[str], layers: Sequence[type[Layer]] = ()) -> SavedModel:
    """Load a model that `save` wrote.

    Parameters
    ----------
    path : str or path
    layers : sequence of classes
        The classes of your own layers in the model. A file never contains code, so they must be passed.

    Returns
    -------
    saved : SavedModel

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it is damaged, has weights alone, or has a layer that is neither in `npnet.nn` nor in `layers`.

    Examples
    --------
    >>> import tempfile
    >>> from npnet import nn
    >>> class Double(nn.Layer):
    ...     def apply(self, x, *, training, generator):
    ...         return 2 * x, lambda grad_y: 2 * grad_y
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/model.safetensors", Double())
    ...     load(f"{folder}/model.safetensors", layers=[Double])
    SavedModel(Double(); saved without its data)
    """
    own = _own_layers(layers)
    arrays, metadata = checkpoint.load(path)
    try:
        content = _parsed(metadata)
        model = build(content.get("model"), arrays, own)
        return _saved(model, content)
    except InputError as error:
        raise error.inside(f"load: {fspath(path)}") from None
    except RecursionError:
        raise InputError(f"load: {fspath(path)} is damaged: it is nested too deep") from None


# ---- writing -------------------------------------------------------------------------------------------


def _about(data: Splits[Any]) -> dict[str, Any]:
    return {
        "name": data.name,
        "task": data.task,
        "classes": list(data.classes),
        "input_shape": list(data.input_shape),
        "format": None if data.format is None else data.format.to_json(),
        "standardization": _statistics(data.standardization),
        "target_standardization": _statistics(data.target_standardization),
    }


def _statistics(standardization: Standardization | None) -> dict[str, list[float]] | None:
    if standardization is None:
        return None
    return {"mean": standardization.mean.tolist(), "deviation": standardization.deviation.tolist()}


def _check_fits(model: Layer, data: Splits[Any]) -> None:
    """Require that the model takes the data and has an output for each class."""
    x, _ = next(minibatches(data.train, 1))
    dtype = next((array.dtype for array in model.parameters.values()), x.dtype)
    try:
        y = model(x.astype(dtype))
    except InputError as error:
        raise InputError(f"save: model must be the one trained on data: {error}") from None
    k = len(data.classes)
    fits = y.ndim == 2 and (y.shape[1] >= k or (k == 2 and y.shape[1] == 1))  # more outputs are harmless
    if k and not fits:
        raise InputError(
            f"save: model must have one output for each of data's {k} classes, "
            f"got outputs of shape {y.shape[1:]}"
        )
    target = data.target_standardization
    if target is not None and as_columns(y).shape[1] != len(target.mean):
        raise InputError(
            f"save: model must have one output for each of the target's {len(target.mean)} columns, "
            f"got outputs of shape {y.shape[1:]}"
        )


# ---- reading -------------------------------------------------------------------------------------------


def _own_layers(layers: Any) -> dict[str, type[Layer]]:
    if not isinstance(layers, list | tuple):
        raise InputError(
            f"load: layers must be a list of classes, such as [Swish], got {check.described(layers)}"
        )
    for layer in layers:
        if not isinstance(layer, type) or not issubclass(layer, Layer):
            raise InputError(f"load: layers must be classes of layers, got {check.described(layer)}")
    return {layer.__name__: layer for layer in layers}


def _parsed(metadata: dict[str, str]) -> dict[str, Any]:
    text = metadata.get(KEY)
    if text is None:
        raise InputError(
            "it holds weights alone, not the model; make the model and use npnet.checkpoint.load_weights, "
            "or write the file with npnet.save"
        )
    if len(text) > LONGEST:
        raise InputError(f"it is damaged: its description must be of at most {LONGEST} characters")
    try:
        content = json.loads(text, parse_constant=_no_constant)
    except ValueError:
        raise InputError("it is damaged: its description is no JSON") from None
    if not isinstance(content, dict):
        raise InputError("it is damaged: its description must be an object")
    if content.get("version") != VERSION:
        shown = check.described(content.get("version"))
        raise InputError(
            f"its description must be of version {VERSION}, got {shown}; another npnet wrote it, "
            f"{check.described(content.get('npnet'))}"
        )
    return content


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _saved(model: Layer, content: dict[str, Any]) -> SavedModel:
    if content.get("task") is None:
        return SavedModel(model)
    return SavedModel(
        model,
        content["task"],
        tuple(_list(content, "classes")),
        tuple(_list(content, "input_shape")),
        _standardization(content, "standardization"),
        _format(content.get("format")),
        content.get("name", ""),
        _standardization(content, "target_standardization"),  # older files lack it
    )


def _list(content: dict[str, Any], name: str) -> list[Any]:
    value = content.get(name)
    if not isinstance(value, list):
        raise InputError(f"{name} must be a list, got {check.described(value)}")
    return value


def _standardization(content: dict[str, Any], key: str) -> Standardization | None:
    value = content.get(key)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InputError(f"{key} must be an object, got {check.described(value)}")
    statistics = []
    for name in ("mean", "deviation"):
        numbers = _list(value, name)
        statistics.append(np.array([check.number(key, name, number) for number in numbers]))
    return Standardization(*statistics)


def _format(value: Any) -> RowFormat | ImageFormat | None:
    if value is None:
        return None
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind == "rows":
        return RowFormat.from_json(value)
    if kind == "images":
        return ImageFormat.from_json(value)
    raise InputError(f"format must be of rows or of images, got {check.described(kind)}")
