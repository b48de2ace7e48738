"""The data of a run: its parts, converted to the model's dtype, and checked before training."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from npnet._words import counted
from npnet.data import ArrayDataset, Dataset, Splits, minibatches
from npnet.data.convert import advice_on_text, dataset_of, in_dtype, is_array, is_pair_of_arrays
from npnet.errors import DTypeError, InputError
from npnet.train.engine import Engine

CHUNK = 4_000_000  # elements checked at a time
SEED = 0  # for layers that draw random numbers in a trial run

Data = Splits[Any] | tuple[Any, ...] | Dataset | dict[str, Any]


# ---- parts ---------------------------------------------------------------------------------------------


def parts(data: Any) -> tuple[Dataset, Dataset | None]:
    """Return the training part and, where there is one, the validation part."""
    if isinstance(data, Splits):
        training, validation = data.train, data.validation
    elif isinstance(data, tuple) and not hasattr(data, "_fields") and not is_pair_of_arrays(data):
        _check_two(data)
        training = dataset_of("fit", "training data", data[0])
        no_validation = data[1] is None
        validation = None if no_validation else dataset_of("fit", "validation data", data[1])
    else:
        training, validation = dataset_of("fit", "data", data), None
    for name, part in (("training", training), ("validation", validation)):
        if part is not None and not len(part) and not (isinstance(data, Splits) and name == "validation"):
            raise InputError(f"fit: the {name} data must not be empty, got 0 samples")
    return training, validation if validation is not None and len(validation) else None


def one_part(owner: str, data: Any) -> Dataset:
    """Return a single data set; splits are refused."""
    if isinstance(data, Splits):
        names = ", ".join(f"splits.{name}" for name in data.parts())
        raise InputError(f"{owner}: dataset must be one part of the splits: {names}")
    return dataset_of(owner, "dataset", data)


def _check_two(data: tuple[Any, ...]) -> None:
    if len(data) == 4 and all(is_array(part) for part in data):
        raise InputError(
            "fit: data must be a pair, training and validation: write ((x_train, y_train), (x_test, y_test))"
        )
    if len(data) != 2:
        raise InputError(
            "fit: data must be splits, a data set, arrays (x, y), or a pair (training, validation) of these, "
            f"got a tuple of {len(data)}"
        )


# ---- before training -----------------------------------------------------------------------------------


def prepared(
    engine: Engine, name: str, part: Dataset, batch_size: int, *, drop_last: bool | None = None
) -> tuple[Dataset, list[str]]:
    """Return a part in the model's dtype, with a line for each conversion; refuse what does not fit.

    One minibatch is run through model and loss. Of data held in arrays, all samples and labels are checked.
    `drop_last` is given for the training part alone.
    """
    x, target = next(iter(minibatches(part, min(batch_size, len(part)))))
    check_no_text(f"fit: {name}", x, target)
    original = part
    part, notes = in_dtype(part, engine.dtype, engine.targets, name)
    if isinstance(part, ArrayDataset):
        _check_all_finite(name, part, original)
    if part is not original:
        x, target = next(iter(minibatches(part, min(batch_size, len(part)))))
    y = _outputs(engine, x)
    if engine.targets == "numbers" and isinstance(part, ArrayDataset) and (*target.shape, 1) == y.shape:
        part, target = as_columns(part), target[:, np.newaxis]
        notes = [*notes, f"{name} y of shape (n,) is read as (n, 1), like the model's outputs"]
    check_targets(f"fit: {name}", part, target, y, engine.targets, engine.ignore_index)
    _check_counts(name, part, engine)
    engine.evaluate(x, target)
    if drop_last is not None:
        _check_last(engine, part, batch_size, drop_last=drop_last)
    return part, notes


def as_columns(part: ArrayDataset) -> ArrayDataset:
    """Return data with targets of shape (n, 1) in place of (n,)."""
    return ArrayDataset(part.x, part.y[:, np.newaxis])


def _outputs(engine: Engine, x: ndarray) -> ndarray:
    try:
        return engine.predict(x)
    except InputError as error:
        channels_last = x.ndim == 4 and x.shape[3] in (1, 3, 4) and x.shape[1] not in (1, 3, 4)
        if channels_last and "transpose" not in str(error):
            raise type(error)(
                f"{error}; x looks like images (n, h, w, c): write x.transpose(0, 3, 1, 2)"
            ) from None
        raise


def check_no_text(where: str, x: ndarray, target: ndarray) -> None:
    """Require numbers; the message says how to convert text."""
    if target.dtype.kind not in "biuf":
        raise DTypeError(f"{where} y must hold numbers, got {_described('y', target)}")
    if x.dtype.kind not in "biuf":
        raise DTypeError(f"{where} x must hold numbers, got {_described('x', x)}")


def _described(name: str, values: ndarray) -> str:
    """Return the dtype of values that are not numbers, with how to convert text."""
    return f"text; {advice_on_text(name, values)}" if values.dtype.kind in "UST" else str(values.dtype)


def check_targets(
    where: str, part: Dataset, target: ndarray, y: ndarray, targets: str, ignore_index: int | None
) -> None:
    """Require targets that fit the outputs y of a minibatch; the message says how to convert near misses.

    Of data held in arrays all labels are checked. The loss would refuse a wrong one too, but later, and
    without its index in the data.
    """
    if targets == "labels":
        labels = part.y if isinstance(part, ArrayDataset) else target
        _check_classes(where, labels, y, ignore_index)
    elif targets == "numbers":
        _check_numbers(where, target, y)


def _check_counts(name: str, part: Dataset, engine: Engine) -> None:
    """Require a label that is not ignored, of data held in arrays."""
    ignored = engine.ignore_index
    if ignored is None or not isinstance(part, ArrayDataset) or part.y.dtype.kind not in "iu":
        return
    if (part.y == ignored).all():
        raise InputError(
            f"fit: {name} y must hold a label that counts, got ignore_index {ignored} everywhere"
        )


def _check_classes(where: str, labels: ndarray, y: ndarray, ignore_index: int | None) -> None:
    """Require labels 0…K−1 for K outputs, or probabilities in the shape of the outputs."""
    if y.ndim < 2:
        return
    outputs, one_each = y.shape[1], y.shape[2:]
    shape = labels.shape[1:]
    if labels.dtype.kind == "f" and shape in (one_each, (1, *one_each)) and (labels != np.rint(labels)).any():
        raise DTypeError(
            f"{where} y must hold integer labels, got numbers with fractions; numbers are learnt by "
            "nn.MSELoss, with as many outputs as a sample has numbers"
        )
    if labels.dtype.kind in "iu" and shape == y.shape[1:] and _is_one_hot(labels):
        raise InputError(
            f"{where} y must hold one label for each sample, got an array that looks one-hot; "
            "write y.argmax(axis=1)"
        )
    if shape == (1, *one_each):
        raise InputError(
            f"{where} y must have shape {('n', *one_each)}, one label for each sample, got "
            f"{('n', *shape)}; write y[:, 0]".replace("'n'", "n")
        )
    if labels.dtype.kind == "f" and shape == one_each:
        raise DTypeError(
            f"{where} y must hold integer labels, got {labels.dtype}; write y.astype(np.int64), once no "
            "label is missing"
        )
    if labels.dtype.kind in "iu" and ignore_index is not None:
        _check_labels(where, labels, outputs, ignore_index)


def _is_one_hot(labels: ndarray) -> bool:
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all())


def _check_labels(where: str, labels: ndarray, outputs: int, ignore_index: int) -> None:
    signed = labels.astype(np.int64)
    counts = signed != ignore_index
    wrong = np.argwhere(((signed < 0) | (signed >= outputs)) & counts)
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        known = signed[counts]
        from_one = known.min() == 1 and known.max() == outputs
        raise InputError(
            f"{where} labels must be in 0…{outputs - 1}, as the model has {counted(outputs, 'output')}, "
            f"got {signed[place]} at index {place[0] if len(place) == 1 else place}"
            + (f"; labels 1…{outputs} become such by y - 1" if from_one else "")
        )


def _check_numbers(where: str, target: ndarray, y: ndarray) -> None:
    """Require targets in the shape of the outputs; (n,) is not broadcast to (n, 1)."""
    if target.shape == y.shape:
        return
    shapes = f"{where} y must have the shape of the model's outputs, {('n', *y.shape[1:])}, got "
    shapes = (shapes + f"{('n', *target.shape[1:])}").replace("'n'", "n")
    if (*target.shape, 1) == y.shape:
        shapes += "; write y[:, np.newaxis]" if y.ndim == 2 else "; write y[..., np.newaxis]"
    elif target.shape == (*y.shape, 1):
        shapes += "; write y[..., 0]"
    elif target.ndim == 1 and y.ndim == 2 and (target == np.rint(target)).all():
        shapes += "; labels of several classes are learnt by nn.CrossEntropyLoss"
    raise InputError(shapes)


def _check_last(engine: Engine, part: Dataset, batch_size: int, *, drop_last: bool) -> None:
    """Where a layer couples samples, as batch norm does, try a last minibatch of one sample."""
    n = len(part)
    alone = n % batch_size == 1 and not (drop_last and n > batch_size)
    if not engine.couples_samples or not (alone or batch_size == 1):
        return
    x, target = next(iter(minibatches(part, 1)))
    weights = engine.weights()
    try:
        engine.forward_backward(x, target, np.random.default_rng(SEED))
    except ValueError as error:  # PyTorch's own too
        raise InputError(
            "fit: batch_size must leave no minibatch of a single sample, of which batch norm has no "
            f"statistics, got {counted(n, 'sample')} in minibatches of {batch_size}; choose another "
            f"batch_size, or leave out the last minibatch with drop_last=True ({error})"
        ) from None
    finally:
        engine.load_weights(weights)


# ---- NaN and ∞ -----------------------------------------------------------------------------------------


class NotFinite(NamedTuple):
    """A value that is no number, and where it stands."""

    value: float
    place: str
    where: tuple[int, ...]


def not_finite(array: ndarray) -> NotFinite | None:
    """Return the first value that is NaN or infinite; None if there is none."""
    if array.dtype.kind != "f" or not array.size:
        return None
    rows = max(1, CHUNK // max(1, array[0].size)) if array.ndim else 1
    for begin in range(0, len(array), rows):
        chunk = array[begin : begin + rows]
        with np.errstate(all="ignore"):
            if np.isfinite(chunk.sum()):  # faster than asking each, and true of nearly all
                continue
        wrong = ~np.isfinite(chunk)
        if wrong.any():
            first = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
            index = (begin + first[0], *first[1:])
            return NotFinite(float(array[index]), _place(index), index)
    return None


def _place(index: tuple[int, ...]) -> str:
    place = f"sample {index[0]}"
    if len(index) == 1:
        return place
    return f"{place}, feature {index[1]}" if len(index) == 2 else f"{place}, position {index[1:]}"


def _check_all_finite(name: str, part: ArrayDataset, original: Dataset) -> None:
    for title, array in (("x", part.x), ("y", part.y)):
        found = not_finite(array)
        if found is None:
            continue
        value = getattr(original, title)[found.where]
        if np.isfinite(value):
            raise InputError(
                f"fit: {name} {title} holds {value:g} at {found.place}, too large for {array.dtype}; "
                "standardise it first, as npnet.data.standardize does"
            )
        raise _holds(name, title, found)


def check_samples_finite(name: str, part: Dataset) -> None:
    """Name the first sample that holds NaN or ∞, of data that could not be checked before training."""
    if isinstance(part, ArrayDataset):
        return
    for i, (x, target) in enumerate(minibatches(part, 1)):
        for title, array in (("x", x), ("y", target)):
            found = not_finite(array)
            if found is not None:
                raise _holds(name, title, found._replace(place=_place((i, *found.where[1:]))))


def _holds(name: str, title: str, found: NotFinite) -> InputError:
    return InputError(
        f"fit: {name} {title} holds {found.value} at {found.place}; leave such samples out, or fill "
        "in what is missing"
    )
