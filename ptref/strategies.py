"""Hypothesis strategies for the inputs of operations and layers, including your own.

Five lines compare your layer with PyTorch on shapes, dtypes, memory layouts and values that are easily
forgotten: repeated maxima, zeros of either sign, huge and tiny numbers, empty batches.

>>> import numpy as np
>>> import torch
>>> def softsign(x):  # an operation by npnet's convention
...     size = 1 + np.abs(x)
...     return x / size, lambda grad_y: grad_y / size**2

>>> from hypothesis import given, settings
>>> from ptref import parity, strategies
>>> @settings(deadline=None)  # the first call loads libraries, which takes longer
... @given(strategies.arrays("n c"), strategies.seeds())
... def test_softsign(x, seed):
...     parity.assert_parity(softsign, torch.nn.functional.softsign, x, seed=seed)

pytest calls such a test; so can you:

>>> test_softsign()

All inputs are valid by construction. As nothing is filtered, failures shrink quickly: sizes and options to
the smallest that still fail, and values to the simplest kind. The numbers in an array depend only on its kind
of values and a seed, which hypothesis prints and replays.

`arrays` is enough for most tests. `convolutions` and `poolings` draw shapes and options of sliding windows.
`cases` draws whole comparisons of npnet's operations, in which your own implementation can take their place.
`chosen` turns any function of small choices (see `ptref.draw`) into a strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy import ndarray

from npnet import check
from npnet.errors import DTypeError, InputError
from ptref.cases import Case
from ptref.draw import DTYPES, FINITE, LAYOUTS, VALUES, Choose, Shape, check_shape, make_array
from ptref.operations.conv2d import convolution
from ptref.operations.pooling import pooling
from ptref.rows import row

__all__ = [
    "arrays",
    "cases",
    "chosen",
    "convolutions",
    "dtypes",
    "labels",
    "layouts",
    "poolings",
    "seeds",
    "shapes",
    "values",
]

T = TypeVar("T")
Draw = Callable[..., Any]  # hypothesis's DrawFn, which cannot be checked at run time


class _Drawn(Choose):
    """Makes decisions with hypothesis."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw

    def integer(self, low: int, high: int) -> int:
        """Return a number from low to high, both included; it shrinks towards low."""
        return int(self.draw(st.integers(low, high)))


def chosen(build: Callable[[Choose], T]) -> SearchStrategy[T]:
    """Return the strategy of the values that `build` makes from random choices.

    Parameters
    ----------
    build : callable
        ``build(choose)`` returns a value from the decisions of a `ptref.draw.Choose`. Failures shrink to low
        integers and first options.

    Returns
    -------
    strategy : SearchStrategy
        Of the results of `build`.

    Examples
    --------
    >>> from ptref.strategies import chosen
    >>> square = chosen(lambda choose: (choose.integer(1, 4),) * 2)
    >>> from hypothesis import find
    >>> find(square, lambda shape: shape[0] > 2)
    (3, 3)
    """
    check.function("chosen", "build", build, "a function of choices")

    @st.composite
    def strategy(draw: Draw) -> T:
        return build(_Drawn(draw))

    return strategy()


def seeds() -> SearchStrategy[int]:
    """Draw seeds, for `compare` and for generators.

    Returns
    -------
    strategy : SearchStrategy
        Of numbers from 0 to 2³² − 1.
    """
    return st.integers(0, 2**32 - 1)


def dtypes() -> SearchStrategy[np.dtype]:
    """Draw float32 or float64.

    Returns
    -------
    strategy : SearchStrategy
        Of NumPy dtypes.
    """
    return st.sampled_from(DTYPES)


def layouts() -> SearchStrategy[str]:
    """Draw a memory layout: contiguous, reversed, strided, transposed or read-only.

    Returns
    -------
    strategy : SearchStrategy
        Of the names in `ptref.draw.LAYOUTS`.
    """
    return st.sampled_from(list(LAYOUTS))


def values(*, finite: bool = True) -> SearchStrategy[str]:
    """Draw a kind of values: ordinary, repeated, zeros, far from 0, huge, tiny.

    Parameters
    ----------
    finite : bool
        False also draws arrays with NaN and infinities among ordinary numbers.

    Returns
    -------
    strategy : SearchStrategy
        Of names in `ptref.draw.VALUES`.
    """
    check.flag("values", "finite", finite)
    return st.sampled_from([*FINITE, *(() if finite else ("infinite", "nan"))])


def shapes(axes: str = "*n", *, least: int = 1, most: int = 5) -> SearchStrategy[Shape]:
    """Draw shapes.

    Parameters
    ----------
    axes : str
        A name for each axis, such as "n c h w", or its size, as in "n 4". "*n" stands for any number of axes,
        including none. An axis called "n" is the batch and may be empty.
    least, most : int
        The range of the sizes of the other axes.

    Returns
    -------
    strategy : SearchStrategy
        Of tuples of int.

    Raises
    ------
    InputError
        If axes is not a string, or least and most are not integers with 0 ≤ least ≤ most.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(shapes("n c h w"), lambda shape: True)
    (0, 1, 1, 1)
    """
    if not isinstance(axes, str):
        raise InputError(f"shapes: axes must be text such as 'n c h w', got {check.described(axes)}")
    least = check.integer("shapes", "least", least, least=0)
    most = check.integer("shapes", "most", most, least=least)
    parts: list[SearchStrategy[list[int]]] = []
    for name in axes.split():
        if name.startswith("*"):
            parts.append(st.lists(st.integers(0, most), max_size=3))
        elif name.isdecimal():
            parts.append(st.just([int(name)]))
        else:
            parts.append(st.integers(0 if name == "n" else least, most).map(lambda size: [size]))
    return st.tuples(*parts).map(lambda lists: tuple(size for part in lists for size in part))


def arrays(
    shape: str | Shape | SearchStrategy[Shape] = "*n",
    dtype: Any = None,
    values: str | SearchStrategy[str] | None = None,
    layout: str | SearchStrategy[str] | None = None,
) -> SearchStrategy[ndarray]:
    """Draw arrays.

    Parameters
    ----------
    shape : str, tuple of int, or strategy
        Names of axes as in `shapes`, a shape, or a strategy of shapes.
    dtype : dtype or strategy, optional
        float32 or float64; either by default.
    values : str or strategy, optional
        One of `ptref.draw.VALUES`; by default any finite kind.
    layout : str or strategy, optional
        One of `ptref.draw.LAYOUTS`; any by default.

    Returns
    -------
    strategy : SearchStrategy
        Of NumPy arrays.

    Raises
    ------
    InputError
        If the kind of values or the layout is unknown, or shape is not a shape.
    DTypeError
        If dtype is neither float32 nor float64.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(arrays("n c", np.float64, values="repeated"), lambda x: x.size > 1)
    array([[1., 0.]])
    """
    for what, given, known in (("values", values, VALUES), ("layout", layout, LAYOUTS)):
        if given is not None and not isinstance(given, SearchStrategy):
            check.choice("arrays", what, given, known)
    if dtype is not None and not isinstance(dtype, SearchStrategy):
        dtype = check.float_dtype("arrays", dtype)
    if not isinstance(shape, str | SearchStrategy):
        shape = check_shape("arrays", "shape", shape)
    return st.builds(
        make_array,
        shapes(shape) if isinstance(shape, str) else _strategy(shape, None),
        _strategy(dtype, dtypes()),
        _strategy(values, st.sampled_from(FINITE)),
        _strategy(layout, layouts()),
        seeds(),
    )


def labels(
    shape: Shape, classes: int, *, dtypes: Sequence[Any] = (np.int64, np.int32)
) -> SearchStrategy[ndarray]:
    """Draw class labels.

    Parameters
    ----------
    shape : tuple of int
    classes : int
        Labels are 0 … classes − 1.
    dtypes : sequence of dtypes
        Integer dtypes to choose from.

    Returns
    -------
    strategy : SearchStrategy
        Of integer arrays.

    Raises
    ------
    InputError
        If shape is not a tuple of integers of at least 0, or classes is not a positive integer.
    DTypeError
        If a dtype is not an integer dtype.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(labels((2,), classes=3), lambda x: x[0] == 2).dtype
    dtype('int64')
    """
    shape = check_shape("labels", "shape", shape)
    classes = check.integer("labels", "classes", classes, least=1)
    if not isinstance(dtypes, tuple | list) or not dtypes:
        raise InputError(f"labels: dtypes must be a tuple of dtypes, got {check.described(dtypes)}")
    for dtype in dtypes:
        _check_integers(dtype)

    def make(seed: int, dtype: Any) -> ndarray:
        return np.asarray(np.random.default_rng(seed).integers(0, classes, shape), dtype)

    return st.builds(make, seeds(), st.sampled_from(list(dtypes)))


def convolutions() -> SearchStrategy[tuple[Shape, Shape, dict[str, Any]]]:
    """Draw (shape of x, shape of weight, options) of a convolution.

    Options are stride, padding (numbers, "same" or "valid"), dilation and groups. The batch axis may be empty
    or absent.

    Returns
    -------
    strategy : SearchStrategy
        Of these triples.
    """
    return chosen(convolution)


def poolings() -> SearchStrategy[tuple[Shape, dict[str, Any]]]:
    """Draw (shape of x, options) of a pooling: kernel_size, stride, padding, dilation, ceil_mode.

    Returns
    -------
    strategy : SearchStrategy
        Of these pairs.
    """
    return chosen(pooling)


def cases(name: str, dtype: Any = None) -> SearchStrategy[Case]:
    """Draw comparisons of one of npnet's operations, layers or models with its PyTorch counterpart.

    Parameters
    ----------
    name : str
        A name such as "conv2d" or "BatchNorm2d".
    dtype : dtype, optional
        float32 or float64; either by default.

    Returns
    -------
    strategy : SearchStrategy
        Of `ptref.cases.Case`.

    Raises
    ------
    InputError
        If there is no comparison of that name.

    Examples
    --------
    Test your own implementation by passing it as the subject:

    >>> from hypothesis import given, settings
    >>> from npnet import functional as F
    >>> @settings(deadline=None, max_examples=5)
    ... @given(cases("max_pool2d"))
    ... def test_pooling(case):
    ...     assert case.compare(subject=F.max_pool2d).agrees
    >>> test_pooling()
    """
    drawn = row(name)
    dtype = None if dtype is None else check.float_dtype("cases", dtype)
    return chosen(lambda choose: drawn.draw(choose, choose.choice(drawn.dtypes) if dtype is None else dtype))


def _check_integers(dtype: Any) -> None:
    try:
        kind = np.dtype(dtype).kind if dtype is not None else ""
    except TypeError:
        kind = ""
    if kind not in ("i", "u"):
        raise DTypeError(f"labels: dtypes must be integer dtypes, got {check.described(dtype)}")


def _strategy(given: Any, default: SearchStrategy[Any] | None) -> SearchStrategy[Any]:
    if isinstance(given, SearchStrategy):
        return given
    return default if given is None and default is not None else st.just(given)
