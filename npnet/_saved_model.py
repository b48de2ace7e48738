"""A trained model that takes raw data and answers in class names or in the target's own units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from npnet import check
from npnet import functional as F
from npnet._architecture import last_layer
from npnet._judged import errors_of
from npnet._words import counted
from npnet.data import ArrayDataset, ImageFormat, RowFormat, Standardization
from npnet.data._table import Table, text_of
from npnet.data._targets import as_columns
from npnet.errors import InputError
from npnet.nn import Layer, Sigmoid, Softmax

__all__ = ["SavedModel"]

TASKS = ("classification", "regression")
MOST_AXES = 8
BATCH_SIZE = 256


@dataclass(frozen=True, eq=False, repr=False)
class SavedModel:
    """A trained model that takes raw data: rows of a table, or pictures as they are on disk.

    Parameters
    ----------
    model : Layer
    task : "classification" or "regression", optional
        None if the model was saved without data; the other attributes are then empty.
    classes : tuple of str
        Their names, in the order of the model's outputs.
    input_shape : tuple of int
        The shape of one sample of x.
    standardization : Standardization, optional
        Applied to x before the model.
    format : RowFormat or ImageFormat, optional
        How raw data is converted to x.
    name : str
        The name of the data.
    target_standardization : Standardization, optional
        In regression, applied to the targets in training; `predict` undoes it.

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
    ...     npnet.save(f"{folder}/model.safetensors", model, splits)
    ...     saved = npnet.load(f"{folder}/model.safetensors")
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
        for name in ("standardization", "target_standardization"):
            if (value := getattr(self, name)) is not None:
                check.instance(owner, name, value, Standardization, "a Standardization or None")
        if self.standardization is not None and len(self.standardization.mean) != (*sizes, 0)[0]:
            raise InputError(f"{owner}: standardization must have as many channels as input_shape, {sizes}")
        if self.target_standardization is not None and self.task != "regression":
            raise InputError(f"{owner}: target_standardization must be None unless the task is regression")
        if self.format is not None:
            _check_format(owner, self.format, sizes)

    @property
    def row_format(self) -> RowFormat | None:
        """The format of rows, if the model takes rows; columns without names are called "0", "1", …."""
        if isinstance(self.format, RowFormat) or len(self.input_shape) != 1 or self.task is None:
            return self.format if isinstance(self.format, RowFormat) else None
        return RowFormat.numbered(self.input_shape[0])

    def predict(self, raw: Any) -> ndarray:
        """Predict the class name of each raw sample, or in regression its number.

        Parameters
        ----------
        raw : rows, images, or ArrayDataset
            *Rows*: the path of a CSV file, a data frame, a dict of columns or a list of dicts, an array or
            lists in the order of ``saved.format.names``. *Images*: a path, a Pillow image, an array of bytes
            0…255 or of numbers 0…1, or a sequence of these. The x of an `ArrayDataset`, such as
            ``splits.test``, is prepared already and goes to the model as it is.

        Returns
        -------
        answers : array, shape (n,)
            Class names; in regression numbers in the target's own units, of shape (n,), or (n, k) if the
            target has k columns.

        Raises
        ------
        InputError
            If the raw data does not have the format of the training data.
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
            As in `predict`, and if the task is regression.
        """
        if self.task == "regression":
            raise InputError("predict_proba: the task is regression, which has no probabilities; use predict")
        return self._probabilities(self._outputs("predict_proba", raw))

    def evaluate(self, raw: Any, target: Any = None) -> dict[str, float]:
        """Compare predictions with right answers: accuracy of classes, errors of numbers in their own units.

        Parameters
        ----------
        raw
            As in `predict`.
        target : sequence, optional
            The right answers: class names, or numbers in their own units. An `ArrayDataset`, such as
            ``splits.test``, has its own.

        Returns
        -------
        scores : dict
            ``"accuracy"``; or ``"rmse"``, the root of the mean squared error, and ``"r2"``, which is 1 for
            perfect predictions and 0 for those no better than the mean.

        Raises
        ------
        InputError
            As in `predict`, and if `target` does not have one answer for each sample.

        Examples
        --------
        >>> from npnet import nn
        >>> saved = SavedModel(nn.Identity(), "regression", (), (1,))
        >>> saved.evaluate([[1.0], [2.0], [3.0]], target=[1.0, 2.0, 4.0])["rmse"]
        0.5773502691896257
        """
        predicted = self.predict(raw)
        if isinstance(raw, ArrayDataset) and target is None:
            target = self._own_targets(raw.y)
        right = predicted[:0] if target is None else np.asarray(target)
        if right.shape != predicted.shape and right.shape != (len(predicted), 1):
            raise InputError(
                f"evaluate: target must be the right answer for each of {len(predicted)} samples, got "
                f"{'None' if target is None else check.described(right)}"
            )
        right = right.reshape(predicted.shape)
        if self.task != "regression":
            pairs = zip(predicted.tolist(), right.tolist(), strict=True)
            hits = [text_of(a) == text_of(b) for a, b in pairs]
            return {"accuracy": sum(hits) / len(hits)}
        check.array("evaluate", "target", right)
        return errors_of(predicted, check.finite("evaluate", "target", right))

    def names(self, outputs: int) -> list[str]:
        """Return the names of a number of outputs: class names, then numbers for outputs without a class.

        Parameters
        ----------
        outputs : int
        """
        return [*self.classes, *(str(i) for i in range(len(self.classes), outputs))]

    def prepare(self, raw: Any) -> ndarray:
        """Convert raw data to the x that the model takes, standardised.

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
        """Convert a table to the x that the model takes; `where` is its name in messages.

        Raises
        ------
        InputError
            If the model does not take rows, or these do not have the format of the training data.
        """
        rows = self.row_format
        if rows is None:
            raise InputError(f"{where}: the model takes {self._takes()}, got rows")
        return self._standardised(rows.encode(table, where))

    def __repr__(self) -> str:
        layers = repr(self.model) if not self.model.children else type(self.model).__name__
        if self.task is None:
            return f"SavedModel({layers}; saved without its data)"
        shown = ", ".join(self.classes[:5]) + (", …" if len(self.classes) > 5 else "")
        answers = f"{counted(len(self.classes), 'class', 'classes')}: {shown}" if self.classes else self.task
        return f"SavedModel({layers}; {self._takes()} to {answers})"

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
        """Return the model's outputs for x, in the model's dtype; messages name `owner`.

        Raises
        ------
        InputError
            If an output is infinite or NaN.
        """
        dtype = next((a.dtype for a in self.model.parameters.values()), np.dtype(np.float32))
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            starts = range(0, len(x), BATCH_SIZE)
            try:
                outputs = np.concatenate([self.model(x[i : i + BATCH_SIZE].astype(dtype)) for i in starts])
            except MemoryError:
                raise InputError(f"{owner}: the model's outputs do not fit into memory") from None
        if not np.isfinite(outputs).all():
            wrong = int(np.argwhere(~np.isfinite(outputs))[0][0])
            raise InputError(f"{owner}: the model's output for sample {wrong} is no finite number")
        return outputs

    def _own_units(self, owner: str, outputs: ndarray) -> ndarray:
        """Convert standardised numbers to the target's own units, in float64."""
        standardization = self.target_standardization
        if standardization is None:
            return outputs
        columns, wanted = as_columns(outputs), len(standardization.mean)
        if columns.shape[1] != wanted:
            raise InputError(
                f"{owner}: the model must return {counted(wanted, 'number')} for each sample, as the target "
                f"has, got outputs of shape {outputs.shape}"
            )
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            numbers = standardization.undo(columns.astype(np.float64))
        if not np.isfinite(numbers).all():
            raise InputError(f"{owner}: an answer is too large for float64")
        return numbers.reshape(outputs.shape)

    def _own_targets(self, y: ndarray) -> ndarray:
        """Convert the y of a data set to the form in which `predict` answers."""
        if self.task == "regression":
            return self._own_units("evaluate", check.array("evaluate", "y", y))
        labels = check.class_labels("evaluate", y, classes=len(self.classes) or None)
        return np.array(self.classes)[labels] if self.classes else labels

    def _probabilities(self, outputs: ndarray) -> ndarray:
        """Convert the model's outputs, logits or probabilities, to probabilities of all classes."""
        last = last_layer(self.model)
        outputs = outputs[:, None] if outputs.ndim == 1 else outputs
        if outputs.shape[1] == 1:  # one output for two classes: it belongs to the second
            second = outputs if isinstance(last, Sigmoid) else F.sigmoid(outputs)[0]
            return np.concatenate([1 - second, second], axis=1)
        if isinstance(last, Softmax | Sigmoid):
            return outputs
        return F.softmax(outputs, dim=1)[0]  # of log-probabilities it gives the probabilities


def _check_format(owner: str, form: Any, input_shape: tuple[int, ...]) -> None:
    """Require a format that gives samples of the input shape."""
    if not isinstance(form, RowFormat | ImageFormat):
        shown = check.described(form)
        raise InputError(f"{owner}: format must be a RowFormat, an ImageFormat or None, got {shown}")
    shape = form.shape if isinstance(form, ImageFormat) else (len(form.features),)
    if shape != input_shape:
        raise InputError(f"{owner}: format must give samples of input_shape, {input_shape}, got {shape}")


def _check_texts(owner: str, name: str, value: Any) -> None:
    if not isinstance(value, tuple) or not all(isinstance(text, str) for text in value):
        raise InputError(f"{owner}: {name} must be a tuple of texts, got {check.described(value)}")
    if len(set(value)) < len(value):
        raise InputError(f"{owner}: {name} must have different names")
