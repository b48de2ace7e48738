"""Layers without parameters: identity, activations, flattening and dropout."""

from __future__ import annotations

from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet import functional as F
from npnet._types import Backward
from npnet.nn.layer import Layer


class Identity(Layer):
    """y = x."""

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Return x itself."""
        check.float_arrays("Identity", x=x)

        def backward(grad_y: ndarray) -> ndarray:
            check.upstream("Identity", grad_y, x)
            return grad_y

        return x, backward


class ReLU(Layer):
    """y = max(x, 0); see `npnet.functional.relu`."""

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.relu`."""
        return F.relu(x)


class LeakyReLU(Layer):
    """y = x where x > 0, else negative_slope · x; see `npnet.functional.leaky_relu`.

    Parameters
    ----------
    negative_slope : float
        The slope for x ≤ 0.

    Raises
    ------
    InputError
        If the slope is not a finite number.
    """

    setting_names = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = check.number("LeakyReLU", "negative_slope", negative_slope)

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.leaky_relu`."""
        return F.leaky_relu(x, self.negative_slope)


class Tanh(Layer):
    """y = tanh(x); see `npnet.functional.tanh`."""

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.tanh`."""
        return F.tanh(x)


class Sigmoid(Layer):
    """y = 1/(1 + e⁻ˣ); see `npnet.functional.sigmoid`."""

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.sigmoid`."""
        return F.sigmoid(x)


class Softplus(Layer):
    """y = log(1 + exp(beta · x)) / beta, a smooth ReLU; see `npnet.functional.softplus`.

    Parameters
    ----------
    beta : float
        The sharpness, above 0.
    threshold : float
        The value of beta · x above which y = x.

    Raises
    ------
    InputError
        If beta is not a finite number above 0, or threshold not a finite number.
    """

    setting_names = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = check.number("Softplus", "beta", beta, above=0.0)
        self.threshold = check.number("Softplus", "threshold", threshold)

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.softplus`."""
        return F.softplus(x, self.beta, self.threshold)


class Softmax(Layer):
    """y = eˣ / Σ eˣ along one axis; see `npnet.functional.softmax`.

    Parameters
    ----------
    dim : int
        The axis along which values sum to 1.

    Raises
    ------
    InputError
        If dim is not an integer.
    """

    setting_names = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = check.integer("Softmax", "dim", dim)

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.softmax`."""
        return F.softmax(x, self.dim)


class LogSoftmax(Layer):
    """y = log(eˣ / Σ eˣ) along one axis; see `npnet.functional.log_softmax`.

    Parameters
    ----------
    dim : int
        The axis along which eʸ sums to 1.

    Raises
    ------
    InputError
        If dim is not an integer.
    """

    setting_names = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = check.integer("LogSoftmax", "dim", dim)

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.log_softmax`."""
        return F.log_softmax(x, self.dim)


class Flatten(Layer):
    """Merge axes, by default all but the first; see `npnet.functional.flatten`.

    Parameters
    ----------
    start_dim, end_dim : int
        The first and the last axis to merge.

    Raises
    ------
    InputError
        If an axis is not an integer.
    """

    setting_names = ("start_dim", "end_dim")

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = check.integer("Flatten", "start_dim", start_dim)
        self.end_dim = check.integer("Flatten", "end_dim", end_dim)

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.flatten`."""
        return F.flatten(x, self.start_dim, self.end_dim)


class Dropout(Layer):
    """Set values to zero at random in training; see `npnet.functional.dropout`.

    The generator is passed to each ``forward(x, generator=…)``, so the layer keeps no state.

    Parameters
    ----------
    p : float
        Probability that a value is dropped.

    Raises
    ------
    InputError
        If p is not a probability.
    """

    setting_names = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = check.number("Dropout", "p", p, least=0.0, most=1.0)

    def apply(self, x: ndarray, *, training: bool, generator: Generator | None) -> tuple[ndarray, Backward]:
        """Apply `npnet.functional.dropout`."""
        return F.dropout(x, self.p, training, generator=generator)
