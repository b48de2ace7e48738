"""Convert arrays, data frames, scikit-learn bunches and tensors to a data set.

Objects of pandas, scikit-learn and PyTorch are recognised by their methods, so none of these is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from npnet.check import described
from npnet.data._stack import stack
from npnet.data.dataset import ArrayDataset, Dataset
from npnet.errors import DTypeError, InputError

WANTED = (
    "arrays (x, y), a frame and a series (x, y), a scikit-learn bunch, or an object with __len__ and "
    "__getitem__ whose items are pairs (x, target)"
)


def as_dataset(x: Any, y: Any = None) -> Dataset:
    """Return arrays, a frame or a bunch as a data set, copying only where necessary.

    Parameters
    ----------
    x : arrays, frame, bunch, or data set
        With y, the samples. Without y, a pair (samples, targets), a scikit-learn bunch, or a data set, which
        is returned as it is.
    y : array, series or list, optional
        A target for each sample.

    Returns
    -------
    dataset : ArrayDataset, or x itself if it is a data set

    Raises
    ------
    InputError
        If x has another type or holds text or missing values, or x and y differ in length.

    Examples
    --------
    >>> as_dataset(np.zeros((3, 2)), [0, 1, 0])
    ArrayDataset(x: float64 (3, 2), y: int64 (3,))
    >>> as_dataset({"data": np.zeros((3, 2)), "target": np.array([0, 1, 0])})
    ArrayDataset(x: float64 (3, 2), y: int64 (3,))
    """
    return dataset_of("as_dataset", "data", x) if y is None else _arrays("as_dataset", "data", x, y)


def dataset_of(owner: str, name: str, x: Any) -> Dataset:
    """Return the value of an argument as a data set; see `as_dataset`."""
    if isinstance(x, ArrayDataset):
        return x
    if isinstance(x, Mapping):
        if not {"data", "target"} <= x.keys():
            raise InputError(f"{owner}: {name} must be {WANTED}, got {described(x)}")
        return _arrays(owner, name, x["data"], x["target"])
    if is_pair_of_arrays(x):
        return _arrays(owner, name, *x)
    if isinstance(x, Dataset) and not isinstance(x, str | bytes | type) and not is_array(x):
        return x
    raise InputError(f"{owner}: {name} must be {WANTED}, got {described(x)}{_advice(x)}")


def as_array(owner: str, name: str, value: Any) -> ndarray:
    """Return the plain array of numbers in an array, a frame, a series, a tensor or a list.

    Parameters
    ----------
    owner, name : str
        The function and its argument, for messages.
    value : array, frame, series, tensor, or list of numbers

    Returns
    -------
    array : array
        Of booleans, integers, floating-point numbers or text; the caller decides whether text is allowed.

    Raises
    ------
    DTypeError
        If the value holds other objects, or cannot be converted to an array.

    Examples
    --------
    >>> as_array("predict", "x", [[1, 2], [3, 4]])
    array([[1, 2],
           [3, 4]])
    """
    if isinstance(value, np.ma.MaskedArray):
        raise DTypeError(
            f"{owner}: {name} must be a plain array, got a masked one; write {name}.filled(value) with a "
            "value for the masked elements"
        )
    if hasattr(value, "toarray"):
        raise DTypeError(f"{owner}: {name} must be a plain array, got a sparse one; write {name}.toarray()")
    try:
        if hasattr(value, "detach"):  # a tensor, on whichever device
            value = value.detach().cpu().numpy()
        elif hasattr(value, "to_numpy"):
            _check_columns(owner, name, value)
            value = value.to_numpy()
        array = np.asarray(value)
        if array.dtype == object:  # pandas' dtype for columns of several types
            array = np.asarray(array.tolist())
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise DTypeError(f"{owner}: {name} cannot be made an array: {str(error)[:200]}") from None
    if array.dtype.kind not in "biufU":
        raise DTypeError(
            f"{owner}: {name} must hold numbers, got {described(value)}"
            + (
                "; some values are missing or not numbers; npnet.data.arrays(x, y) accepts both"
                if array.dtype == object
                else ""
            )
        )
    return array


def is_array(value: Any) -> bool:
    """Return whether a value is an array, a frame, a series or a tensor.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool

    Examples
    --------
    >>> is_array(np.zeros(3)), is_array([0, 1])
    (True, False)
    """
    kinds = ("to_numpy", "detach", "toarray")
    return isinstance(value, ndarray) or (
        not isinstance(value, type) and any(hasattr(value, kind) for kind in kinds)
    )


def advice_on_text(name: str, values: ndarray) -> str:
    """Return the advice for a message about an array of text.

    Parameters
    ----------
    name : "x" or "y"
    values : array of text

    Returns
    -------
    advice : str

    Examples
    --------
    >>> advice_on_text("y", np.array(["cat", "dog"]))
    'npnet.data.arrays(x, y) gives splits for training, with labels for the names of classes'
    >>> advice_on_text("y", np.array(["1.5", "2"]))
    'numbers written as text become numbers by y.astype(float)'
    """
    try:
        values.ravel()[:1000].astype(float)
    except (TypeError, ValueError):
        what = "numbers for columns of text" if name == "x" else "labels for the names of classes"
        return f"npnet.data.arrays(x, y) gives splits for training, with {what}"
    return f"numbers written as text become numbers by {name}.astype(float)"


def is_pair_of_arrays(value: Any) -> bool:
    """Return whether a value is a pair (samples, targets) of arrays, not two data sets or two samples.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool

    Examples
    --------
    >>> x, y = np.zeros((3, 2)), np.array([0, 1, 0])
    >>> is_pair_of_arrays((x, y)), is_pair_of_arrays(((x, y), (x, y)))
    (True, False)
    """
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    # Each of two samples would be a pair, not an array.
    return is_array(value[0]) or all(is_array(part) or _is_plain(part) for part in value)


def in_dtype(
    dataset: Dataset, dtype: np.dtype[Any] | None, targets: str = "any", part: str = "the data"
) -> tuple[Dataset, list[str]]:
    """Return the data set with samples and targets in a model's dtype, and a line for each conversion.

    Integers, booleans and floats of another precision become the model's dtype. Integer targets do so only
    if the loss compares numbers; class labels stay integers.

    Parameters
    ----------
    dataset : Dataset
    dtype : dtype
        The model's, float32 or float64; None changes nothing.
    targets : "labels", "numbers" or "any"
        The targets that the loss takes.
    part : str
        The name of the data in the lines.

    Returns
    -------
    dataset : Dataset
        The given one if nothing needs converting.
    lines : list of str

    Examples
    --------
    >>> data = ArrayDataset(np.zeros((3, 2)), np.array([0, 1, 0]))
    >>> in_dtype(data, np.dtype(np.float32))
    (ArrayDataset(x: float32 (3, 2), y: int64 (3,)), ['the data: x converted from float64 to float32'])
    """
    if dtype is None:
        return dataset, []
    if type(dataset) is ArrayDataset:
        x, target = dataset.x, dataset.y
    else:
        x, target = stack([dataset[0]], [0])
    wanted = {"x": _dtype_of_samples(x, dtype), "y": _dtype_of_targets(target, dtype, targets)}
    lines = [
        f"{part}: {name} converted from {_shown(array.dtype)} to {wanted[name]}"
        for name, array in (("x", x), ("y", target))
        if array.dtype != wanted[name]
    ]
    if not lines:
        return dataset, []
    if x.dtype == np.uint8 and x.max() > 1:
        lines[0] += "; x / 255 trains better than numbers from 0 to 255"
    if type(dataset) is ArrayDataset:
        with np.errstate(all="ignore"):  # numbers too large become infinite; a later check refuses them
            converted = ArrayDataset(
                x.astype(wanted["x"], copy=False), target.astype(wanted["y"], copy=False)
            )
        return converted, lines
    return _Converted(dataset, wanted["x"], wanted["y"]), lines


class _Converted:
    """A data set that converts each sample when it is read."""

    def __init__(self, dataset: Dataset, x: np.dtype[Any], target: np.dtype[Any]) -> None:
        self.dataset, self.x, self.target = dataset, x, target

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[ndarray, ndarray]:
        x, target = stack([self.dataset[index]], [index])
        with np.errstate(all="ignore"):
            return x[0].astype(self.x, copy=False), target[0].astype(self.target, copy=False)


def _dtype_of_samples(x: ndarray, dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if x.dtype.kind in "biuf" else x.dtype


def _dtype_of_targets(target: ndarray, dtype: np.dtype[Any], targets: str) -> np.dtype[Any]:
    if target.dtype.kind == "f" or (target.dtype.kind in "biu" and targets == "numbers"):
        return dtype
    if target.dtype.kind == "b" and targets == "labels":
        return np.dtype(np.int64)
    return target.dtype.newbyteorder("=")


def _shown(dtype: np.dtype[Any]) -> str:
    return str(dtype) if dtype.isnative else f"{dtype.newbyteorder('=')} in foreign byte order"


def _arrays(owner: str, name: str, x: Any, y: Any) -> ArrayDataset:
    samples, targets = as_array(owner, f"{name}'s x", x), as_array(owner, f"{name}'s y", y)
    if samples.dtype.kind == "U":
        raise DTypeError(f"{owner}: {name}'s x must hold numbers, got text; {advice_on_text('x', samples)}")
    if samples.ndim == 0 or targets.ndim == 0 or len(samples) != len(targets) or len(samples) == 0:
        shapes = f"{samples.shape} and {targets.shape}"
        raise InputError(
            f"{owner}: {name} must be x and y with as many targets as samples, got shapes {shapes}"
        )
    return ArrayDataset(samples, targets)


def _is_plain(value: Any) -> bool:
    """Return whether a value is a nested list of numbers or text; samples would be tuples."""
    while isinstance(value, list) and value:
        value = value[0]
        if isinstance(value, int | float | str | np.number | np.bool_):
            return True
    return False


def _check_columns(owner: str, name: str, frame: Any) -> None:
    """Refuse a frame with several columns of which some are not numeric, naming these."""
    types = getattr(frame, "dtypes", None)
    columns = getattr(frame, "columns", None)
    if types is None or columns is None:
        return
    kinds = [getattr(dtype, "kind", "O") for dtype in types]
    wrong = [str(column) for column, kind in zip(columns, kinds, strict=True) if kind not in "biuf"]
    if wrong and len(kinds) > 1:
        raise DTypeError(
            f"{owner}: {name} must hold numbers, got other values in column {', '.join(wrong[:5])}; "
            "npnet.data.arrays(x, y) one-hot encodes it, or leave it out with frame.drop(columns=…)"
        )


def _advice(value: Any) -> str:
    """Return what to write instead of a value that is nearly a data set."""
    if is_array(value):
        return "; samples need their targets beside them: (x, y)"
    if hasattr(value, "dataset"):  # a data loader
        return "; pass its data set, loader.dataset: npnet makes the minibatches itself"
    if isinstance(value, Iterable) and not isinstance(value, str | bytes) and not hasattr(value, "__len__"):
        return "; make a list of an iterator first, as it can be read only once"
    return ""
