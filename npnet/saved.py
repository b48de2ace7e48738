"""What was learnt, kept whole: weights, architecture, class names, and how raw data becomes x.

`save` writes one safetensors file. Its arrays are the weights under PyTorch's names, so that
`npnet.checkpoint.load_weights` and PyTorch read it too; its metadata says the rest. `load` gives back a
`SavedModel`, which answers raw rows or pictures.

A file is not trusted: nothing that it names is imported or run, and no array is made that it does not hold.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import __version__, check, checkpoint
from npnet import functional as F
from npnet._architecture import build, describe, last_layer
from npnet._judged import errors_of
from npnet._words import counted
from npnet.data import ArrayDataset, ImageFormat, RowFormat, Splits, Standardization, minibatches
from npnet.data._table import Table, text_of
from npnet.data._targets import as_columns
from npnet.errors import InputError
from npnet.nn import Layer, Sigmoid, Softmax

KEY = "npnet"  # in the metadata of the file
VERSION = 1  # of what stands there
LONGEST = 2**26  # characters
TASKS = ("classification", "regression")
MOST_AXES = 8
AT_A_TIME = 256  # samples that go through the model together


@dataclass(frozen=True, eq=False, repr=False)
class SavedModel:
    """A trained model that takes raw data: rows as they stand in a table, pictures as they are on disk.

    Parameters
    ----------
    model : Layer
    task : "classification" or "regression", optional
        None if the model was saved without data; then it has nothing but `model`.
    classes : tuple of str
        Their names, in the order of the model's outputs.
    input_shape : tuple of int
        The shape of one sample of x.
    standardization : Standardization, optional
        What x went through before the model saw it.
    format : RowFormat or ImageFormat, optional
        How raw data becomes x.
    name : str
        What the data was called.
    target_standardization : Standardization, optional
        In regression, what the targets went through before the model learnt them; `predict` undoes it.

    Raises
    ------
    InputError
        If an argument is of another kind.

    Examples
    --------
    >>> import tempfile
    >>> import npnet
    >>> from npnet import nn
    >>> splits = npnet.data.arrays([[1.0], [2.0], [3.0], [9.0], [8.0], [7.0]] * 2, list("aaabbb") * 2)
    >>> model = nn.Linear(1, 2, generator=np.random.default_rng(0))
    >>> model.weight[...], model.bias[...] = [[-1], [1]], 0
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/model.safetensors", model, splits)
    ...     saved = load(f"{folder}/model.safetensors")
    >>> saved
    SavedModel(Linear(1, 2); rows of 1 column to 2 classes: a, b)
    >>> saved.predict([[1.5], [8.5]])
    array(['a', 'b'], dtype='<U1')
    >>> saved.predict_proba([[1.5], [8.5]]).round(2)
    array([[0.92, 0.08],
           [0.11, 0.89]], dtype=float32)
    """

    model: Layer
    task: str | None = None
    classes: tuple[str, ...] = ()
    input_shape: tuple[int, ...] = ()
    standardization: Standardization | None = None
    format: RowFormat | ImageFormat | None = None
    name: str = ""
    target_standardization: Standardization | None = None

    def __post_init__(self) -> None:
        owner = "SavedModel"
        check.instance(owner, "model", self.model, Layer, "a layer")
        if self.task is not None:
            check.choice(owner, "task", self.task, TASKS)
        _check_texts(owner, "classes", self.classes)
        if not isinstance(self.input_shape, tuple) or len(self.input_shape) > MOST_AXES:
            raise InputError(f"{owner}: input_shape must be a tuple of sizes, got {self.input_shape!r:.60}")
        sizes = tuple(check.integer(owner, "input_shape", size, least=1) for size in self.input_shape)
        object.__setattr__(self, "input_shape", sizes)
        check.instance(owner, "name", self.name, str, "text")
        if self.standardization is not None:
            check.instance(
                owner, "standardization", self.standardization, Standardization, "a Standardization or None"
            )
            if len(self.standardization.mean) != (*sizes, 0)[0]:
                raise InputError(
                    f"{owner}: standardization must have as many channels as input_shape, {sizes}"
                )
        if self.target_standardization is not None:
            check.instance(
                owner,
                "target_standardization",
                self.target_standardization,
                Standardization,
                "a Standardization or None",
            )
            if self.task != "regression":
                raise InputError(f"{owner}: target_standardization must be None where no numbers are learnt")
        if self.format is not None:
            given: Any = self.format
            if not isinstance(given, RowFormat | ImageFormat):
                shown = check.described(given)
                raise InputError(f"{owner}: format must be a RowFormat, an ImageFormat or None, got {shown}")
            wanted = (
                self.format.shape if isinstance(self.format, ImageFormat) else (len(self.format.features),)
            )
            if wanted != sizes:
                raise InputError(f"{owner}: format must give samples of input_shape, {sizes}, got {wanted}")

    @property
    def row_format(self) -> RowFormat | None:
        """What rows must look like: where columns had no names they are called "0", "1", …."""
        if isinstance(self.format, RowFormat) or len(self.input_shape) != 1 or self.task is None:
            return self.format if isinstance(self.format, RowFormat) else None
        return RowFormat.numbered(self.input_shape[0])

    def predict(self, raw: Any) -> ndarray:
        """Answer each raw sample: with the name of its class, or with the number learnt.

        Parameters
        ----------
        raw : rows, images, or ArrayDataset
            *Rows*: the path of a CSV file, a frame, a dict or dicts by column, an array or lists in the order
            of ``saved.format.names``. *Images*: a path, an image of Pillow, an array of bytes 0…255 or of
            numbers 0…1, or a sequence of these. An `ArrayDataset`, such as ``splits.test``, has gone this way
            already: its x goes to the model as it is.

        Returns
        -------
        answers : array, shape (n,)
            Text for classes; in regression numbers in the target's own units, of shape (n,), or (n, k) if k
            numbers were learnt.

        Raises
        ------
        InputError
            If the raw data does not look like what the model learnt from.
        """
        outputs = self._outputs("predict", raw)
        if self.task == "regression":
            outputs = self._own_units("predict", outputs)
            return outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs
        best: ndarray = self._probabilities(outputs).argmax(axis=1)
        return best if not self.classes else np.array(self.names(int(best.max()) + 1))[best]

    def predict_proba(self, raw: Any) -> ndarray:
        """Return the probability of each class, in the order of `classes`.

        Parameters
        ----------
        raw
            As in `predict`.

        Returns
        -------
        probabilities : array, shape (n, classes)

        Raises
        ------
        InputError
            As in `predict`, and if no classes were learnt.
        """
        if self.task == "regression":
            raise InputError(
                "predict_proba: the model learnt numbers, which have no probabilities; use predict"
            )
        return self._probabilities(self._outputs("predict_proba", raw))

    def evaluate(self, raw: Any, target: Any = None) -> dict[str, float]:
        """Judge the answers: how many classes are right, or how far numbers are off, in their own units.

        Parameters
        ----------
        raw
            As in `predict`.
        target : sequence, optional
            The right answers, names of classes or numbers in their own units. An `ArrayDataset`, such as
            ``splits.test``, brings its own.

        Returns
        -------
        judged : dict
            ``"accuracy"``; or ``"rmse"``, the root of the mean squared error, and ``"r2"``, which is 1 if all
            is right and 0 if the answers are no better than the mean.

        Raises
        ------
        InputError
            As in `predict`, and if there is not one right answer for each sample.

        Examples
        --------
        >>> from npnet import nn
        >>> saved = SavedModel(nn.Identity(), "regression", (), (1,))
        >>> saved.evaluate([[1.0], [2.0], [3.0]], target=[1.0, 2.0, 4.0])["rmse"]
        0.5773502691896257
        """
        answers = self.predict(raw)
        if isinstance(raw, ArrayDataset) and target is None:
            target = self._own_targets(raw.y)
        right = answers[:0] if target is None else np.asarray(target)
        if right.shape != answers.shape and right.shape != (len(answers), 1):
            raise InputError(
                f"evaluate: target must be the right answer for each of {len(answers)} samples, got "
                f"{'None' if target is None else check.described(right)}"
            )
        right = right.reshape(answers.shape)
        if self.task != "regression":
            hits = [text_of(a) == text_of(b) for a, b in zip(answers.tolist(), right.tolist(), strict=True)]
            return {"accuracy": sum(hits) / len(hits)}
        check.array("evaluate", "target", right)
        return errors_of(answers, check.finite("evaluate", "target", right))

    def names(self, outputs: int) -> list[str]:
        """Return the names of so many outputs: those that stand for no class go by their number.

        Parameters
        ----------
        outputs : int
        """
        return [*self.classes, *(str(i) for i in range(len(self.classes), outputs))]

    def prepare(self, raw: Any) -> ndarray:
        """Return raw data as the x that the model takes: as numbers, standardised.

        Parameters
        ----------
        raw
            As in `predict`.

        Returns
        -------
        x : array, shape (n, *input_shape)

        Raises
        ------
        InputError
            As in `predict`.
        """
        if self.task is None:
            raise InputError(
                "predict: the model was saved without its data, npnet.save(path, model, splits); "
                "its weights and layers are in .model"
            )
        if isinstance(raw, ArrayDataset):
            return self._of_shape(raw.x)
        rows = self.row_format
        if isinstance(self.format, ImageFormat):
            return self._standardised(self.format(raw, owner="predict"))
        return self._standardised(self._of_shape(raw) if rows is None else rows(raw, owner="predict"))

    def prepare_table(self, table: Table, where: str) -> ndarray:
        """Return a table that was read as the x that the model takes; `where` is what messages call it.

        Raises
        ------
        InputError
            If the model does not take rows, or these do not look like those it learnt from.
        """
        rows = self.row_format
        if rows is None:
            raise InputError(f"{where}: the model takes {self._takes()}, got rows")
        return self._standardised(rows.encode(table, where))

    def __repr__(self) -> str:
        layers = repr(self.model) if not self.model.children() else type(self.model).__name__
        if self.task is None:
            return f"SavedModel({layers}; saved without its data)"
        shown = ", ".join(self.classes[:5]) + (", …" if len(self.classes) > 5 else "")
        gives = f"{counted(len(self.classes), 'class', 'classes')}: {shown}" if self.classes else self.task
        return f"SavedModel({layers}; {self._takes()} to {gives})"

    def _takes(self) -> str:
        if isinstance(self.format, ImageFormat):
            return f"images of {self.format.height}×{self.format.width}, {self.format.mode},"
        rows = self.row_format
        if rows is None:
            return f"samples of shape {self.input_shape}"
        return f"rows of {counted(len(rows.columns), 'column')}"

    def _of_shape(self, raw: Any) -> ndarray:
        x = check.array("predict", "raw", raw)
        x = x[None] if x.shape == self.input_shape else x
        if x.shape[1:] != self.input_shape or not len(x):
            expected = f"(n, {', '.join(map(str, self.input_shape))})"
            raise InputError(f"predict: raw must have shape {expected}, got {x.shape}")
        return x

    def _standardised(self, x: ndarray) -> ndarray:
        return x if self.standardization is None else self.standardization(x)

    def _outputs(self, owner: str, raw: Any) -> ndarray:
        """Run the model on raw data."""
        return self.run(owner, self.prepare(raw))

    def run(self, owner: str, x: ndarray) -> ndarray:
        """Return the model's outputs for x, in the model's dtype; `owner` is who asks.

        Raises
        ------
        InputError
            If outputs are no numbers.
        """
        dtype = next((a.dtype for a in self.model.parameters.values()), np.dtype(np.float32))
        with np.errstate(over="ignore", invalid="ignore"):  # met below
            starts = range(0, len(x), AT_A_TIME)
            try:
                outputs = np.concatenate([self.model(x[i : i + AT_A_TIME].astype(dtype)) for i in starts])
            except MemoryError:
                raise InputError(f"{owner}: the model's outputs do not fit into memory") from None
        if not np.isfinite(outputs).all():
            wrong = int(np.argwhere(~np.isfinite(outputs))[0][0])
            raise InputError(f"{owner}: the model's output for sample {wrong} is no finite number")
        return outputs

    def _own_units(self, owner: str, outputs: ndarray) -> ndarray:
        """Return standardised numbers in the target's own units, in float64, which holds them all."""
        learnt = self.target_standardization
        if learnt is None:
            return outputs
        columns = as_columns(outputs)
        if columns.shape[1] != len(learnt.mean):
            raise InputError(
                f"{owner}: the model must give {len(learnt.mean)} for each sample, as many numbers as were "
                f"learnt, got outputs of shape {outputs.shape}"
            )
        with np.errstate(over="ignore", invalid="ignore"):  # met below
            numbers = learnt.undo(columns.astype(np.float64))
        if not np.isfinite(numbers).all():
            raise InputError(f"{owner}: an answer is too large for float64")
        return numbers.reshape(outputs.shape)

    def _own_targets(self, y: ndarray) -> ndarray:
        """Return the y of a part of the data as `predict` would answer it."""
        if self.task == "regression":
            return self._own_units("evaluate", check.array("evaluate", "y", y))
        labels = check.class_labels("evaluate", y, classes=len(self.classes) or None)
        return np.array(self.classes)[labels] if self.classes else labels

    def _probabilities(self, outputs: ndarray) -> ndarray:
        """Return the probabilities that the model's outputs stand for."""
        last = last_layer(self.model)
        outputs = outputs[:, None] if outputs.ndim == 1 else outputs
        if outputs.shape[1] == 1:  # one output tells two classes apart: it is the probability of the second
            second = outputs if isinstance(last, Sigmoid) else F.sigmoid(outputs)[0]
            return np.concatenate([1 - second, second], axis=1)
        if isinstance(last, Softmax | Sigmoid):
            return outputs
        return F.softmax(outputs, dim=1)[0]  # of log-probabilities these are the probabilities again


def save(path: str | PathLike[str], model: Layer, data: Splits[Any] | None = None) -> None:
    """Write a model, and how raw data comes to it, to one safetensors file.

    Parameters
    ----------
    path : str or path
        The file to write; its folder must exist. It appears whole or not at all: whatever goes wrong, an
        old file stays as it was.
    model : Layer
        Layers of `npnet.nn`, and layers of your own whose constructor takes nothing but numbers, text and
        what `setting_names` names.
    data : Splits, optional
        What it was trained on, of which class names, standardisation and format are kept, no samples.
        Without it the file has weights and architecture alone.

    Raises
    ------
    InputError
        If the file cannot be written, a layer cannot be made again from what it says of itself, or the
        model does not fit the data.

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
    """Read what `save` wrote.

    Parameters
    ----------
    path : str or path
    layers : sequence of classes
        Layers of your own that the model has. A file cannot bring code with it, so it must be here.

    Returns
    -------
    saved : SavedModel

    Raises
    ------
    MissingError
        If there is no such file.
    InputError
        If it is damaged, holds weights alone, or has a layer that is neither one of `npnet.nn` nor among
        `layers`.

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


# ---- what is written -----------------------------------------------------------------------------------


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
    """Require that the model takes the data, and has an output for each class."""
    x, _ = next(minibatches(data.train, 1))
    dtype = next((array.dtype for array in model.parameters.values()), x.dtype)
    try:
        y = model(x.astype(dtype))
    except InputError as error:
        raise InputError(f"save: model must be the one trained on data: {error}") from None
    k = len(data.classes)
    fits = y.ndim == 2 and (y.shape[1] >= k or (k == 2 and y.shape[1] == 1))  # outputs may be unused
    if k and not fits:
        raise InputError(
            f"save: model must have one output for each of data's {k} classes, "
            f"got outputs of shape {y.shape[1:]}"
        )
    learnt = data.target_standardization
    if learnt is not None and as_columns(y).shape[1] != len(learnt.mean):
        raise InputError(
            f"save: model must have one output for each number that data has to learn, {len(learnt.mean)}, "
            f"got outputs of shape {y.shape[1:]}"
        )


# ---- what is read --------------------------------------------------------------------------------------


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
            "or write the file by npnet.save"
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
        _standardization(content, "target_standardization"),  # which older files do not have
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


def _check_texts(owner: str, name: str, value: Any) -> None:
    if not isinstance(value, tuple) or not all(isinstance(text, str) for text in value):
        raise InputError(f"{owner}: {name} must be a tuple of texts, got {check.described(value)}")
    if len(set(value)) < len(value):
        raise InputError(f"{owner}: {name} must have different names")
