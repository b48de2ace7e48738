"""Dicts of a model's own arrays, which keep their identity: assigning to a name copies into the array."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn
from weakref import ref

import numpy as np
from numpy import ndarray

from npnet import check
from npnet._from_pytorch import not_a_method
from npnet.errors import DTypeError, InputError


class Arrays(dict[str, ndarray]):
    """A dict of a model's own arrays: assigning to one of its names copies the values into that array.

    So whoever else holds the arrays, such as an optimizer, still holds the model's.
    """

    kind: ClassVar[str] = "buffers"

    def __setitem__(self, name: str, value: ndarray) -> None:
        """Copy a value into the array of a name."""
        if name not in self:
            raise InputError(
                f"{self.kind}: names must be those of the model, got {name!r}; to add an array to a dict of "
                f"your own, write {{**model.{self.kind}, name: array}}"
            )
        copy_into(f"model.{self.kind}", name, self[name], value)

    def update(self, *others: Any, **named: Any) -> None:
        """Copy values into the arrays of several names."""
        for name, value in dict(*others, **named).items():
            self[name] = value

    def __ior__(self, other: Any) -> Arrays:  # type: ignore[override, misc] # noqa: PYI034 - as in a dict
        self.update(other)
        return self

    def setdefault(self, name: str, default: Any = None) -> ndarray:
        """Return the array of a name; another name cannot be added."""
        if name not in self:
            self[name] = default
        return self[name]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the names with their arrays, without assigning to any."""
        return type(self), (dict(self),)

    def __call__(self) -> NoReturn:
        """Tell users of PyTorch, where this is a method, to leave out the brackets."""
        not_a_method(self.kind, "arrays")


class Parameters(Arrays):
    """A dict of parameters.

    Attributes
    ----------
    layer : weak reference to a layer, optional
        The layer whose parameters these are. It lets an optimizer notice that the layer got other arrays.
    """

    kind = "parameters"
    layer: ref[Any] | None = None


def copy_into(owner: str, name: str, array: ndarray, value: Any) -> None:
    """Copy a value into an array, unless it is that array already; shape and dtype must be equal."""
    if value is array:
        return
    if isinstance(value, np.generic) and not array.ndim:
        value = np.asarray(value)  # arithmetic on an array without axes gives a scalar
    check.array(owner, name, value)
    why = "as it has now, since an optimizer may hold it: the values are copied into the array"
    check.shape(owner, name, value, array.shape, why)
    if value.dtype != array.dtype:
        raise DTypeError(
            f"{owner}: {name} must have the dtype {array.dtype} {why}, got {value.dtype}; write "
            f"value.astype(np.{array.dtype}), or convert the whole model with model.astype"
        )
    if not array.flags.writeable:
        raise InputError(f"{owner}: {name} must be writable to take new values, got a read-only array")
    array[...] = value
