"""Is a backward right? Compare it with derivatives taken numerically.

Backward claims to know the gradient of L = ⟨grad_y, f(x)⟩ for any grad_y. So draw a grad_y, move x a
little along a direction v, and see whether L changes as claimed:

    (L(x + h v) − L(x − h v)) / 2h  ≈  ⟨backward(grad_y), v⟩.

v is first a random direction, to which every element adds its part, then each axis in turn, which tells
the elements apart. The left side is off by about h² L‴/6, from cutting the Taylor series, plus u |L| / h,
from rounding with unit u; the two balance near h = ∛u, about 6e-6, scaled by the size of x. A derivative
that does not agree is taken again with other steps, so that strong curvature or much rounding is not
mistaken for a wrong gradient. What then still disagrees is either wrong or has no derivative: at a
kink, such as ReLU's at 0, the slopes on the two sides stay apart however small the step, while those of a
smooth function come together in proportion to h.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet.errors import DTypeError, InputError
from npnet.nn.layer import Layer

UNIT = float(np.finfo(np.float64).eps) / 2  # unit roundoff
STEP = UNIT ** (1 / 3)
ROUNDINGS = 8  # units of rounding that f itself is granted in each of its outputs
# Not a seed anyone would draw inputs from: with grad_y equal to x, grad_yᵀ x is symmetric, and a transposed
# gradient of the weight would pass.
SEED = 0x677261646368656B
SMALLER = 8  # factor from one step to the next smaller one
SHOWN = 3  # wrong derivatives, and kinks, that the report spells out for each input


class GradcheckError(AssertionError):
    """A backward is wrong; the message is the report, which `report` holds for programs to read."""

    def __init__(self, report: GradcheckReport) -> None:
        super().__init__(str(report))
        self.report = report


@dataclass(frozen=True)
class Derivative:
    """One derivative as backward has it and as central differences have it.

    Attributes
    ----------
    index : tuple of int, or None
        The element moved; None for a random direction.
    analytic, numerical : float
        The derivative from backward, and from central differences.
    tolerance : float
        How far apart the two may be.
    left, right : float
        The slopes on either side, from one-sided differences.
    """

    index: tuple[int, ...] | None
    analytic: float
    numerical: float
    tolerance: float
    left: float
    right: float

    @property
    def error(self) -> float:
        """The difference as a multiple of the tolerance; above 1 the two disagree."""
        error = abs(self.analytic - self.numerical) / self.tolerance
        return error if np.isfinite(error) else np.inf

    @property
    def place(self) -> str:
        """Where the derivative was taken, in words."""
        return "a random direction" if self.index is None else f"element {self.index}"


@dataclass(frozen=True)
class InputReport:
    """What was found for one input or parameter.

    Attributes
    ----------
    name : str
        Its position and name, such as ``input 1 'weight'``.
    shape : tuple of int
    elements, directions : int
        How many derivatives were taken along single elements, and along random directions.
    worst : float
        The largest error that is neither a failure nor a kink, as a multiple of its tolerance.
    failures, kinks : tuple of Derivative
        Where backward is wrong, and where there is no derivative to compare with.
    """

    name: str
    shape: tuple[int, ...]
    elements: int
    directions: int
    worst: float
    failures: tuple[Derivative, ...]
    kinks: tuple[Derivative, ...]

    @property
    def only_kinks(self) -> bool:
        """Whether not one derivative existed, so that nothing was compared."""
        return 0 < self.elements + self.directions == len(self.kinks)

    @property
    def passed(self) -> bool:
        """Whether something was compared, unless there is nothing, and all of it agreed."""
        return not self.failures and not self.only_kinks

    def lines(self) -> list[str]:
        """Return the findings as lines of text, the worst first."""
        looked = f"{self.elements} of {prod(self.shape)} elements and {self.directions} directions"
        wrong = [
            f"  wrong at {d.place}: backward gives {d.analytic:.8g}, central differences give "
            f"{d.numerical:.8g}, off by {abs(d.analytic - d.numerical):.2g} "
            f"where {d.tolerance:.2g} is tolerated"
            for d in sorted(self.failures, key=lambda d: (d.index is None, -d.error))[:SHOWN]
        ]
        kinks = [
            f"  kink at {d.place}: slope {d.left:.6g} on one side, {d.right:.6g} on the other; "
            f"backward gives {d.analytic:.6g}"
            for d in sorted(self.kinks, key=lambda d: d.index is None)[:SHOWN]
        ]
        return [f"{self.name} {self.shape}: {looked}, {self._verdict()}", *wrong, *kinks, *self._ratio()]

    def _verdict(self) -> str:
        if self.failures:
            return f"{len(self.failures)} of them wrong"
        if self.only_kinks:
            return "all of them at kinks, so nothing could be compared; choose other inputs"
        kinks = f", {len(self.kinks)} at kinks" if self.kinks else ""
        return f"right, worst error {self.worst:.2g} of the tolerance{kinks}"

    def _ratio(self) -> list[str]:
        """Name the factor by which all failures are off, when it is one and the same: a valuable hint."""
        ratios = [d.analytic / d.numerical for d in self.failures if d.numerical]
        if len(ratios) < 2 or len(ratios) < len(self.failures) or np.ptp(ratios) > 1e-4 * abs(ratios[0]):
            return []
        return [f"  wherever it is wrong, backward gives {ratios[0]:.4g} times the right value"]


@dataclass(frozen=True)
class GradcheckReport:
    """What `gradcheck` found; ``print(report)`` shows it.

    Attributes
    ----------
    function : str
        The name of what was checked.
    inputs : tuple of InputReport
        One for each input and parameter that has a gradient.
    problem : str
        Why no derivative was compared, such as a gradient of the wrong shape; empty when they were.
    """

    function: str
    inputs: tuple[InputReport, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether backward is right as far as was looked."""
        return not self.problem and all(report.passed for report in self.inputs)

    @property
    def failures(self) -> dict[str, tuple[Derivative, ...]]:
        """The wrong derivatives, by the name of the input."""
        return {report.name: report.failures for report in self.inputs if report.failures}

    @property
    def kinks(self) -> dict[str, tuple[Derivative, ...]]:
        """The places without a derivative, by the name of the input."""
        return {report.name: report.kinks for report in self.inputs if report.kinks}

    def __str__(self) -> str:
        head = f"gradcheck of {self.function}: {'passed' if self.passed else 'FAILED'}"
        if self.problem:
            return f"{head}: {self.problem}"
        lines = [line for report in self.inputs for line in report.lines()]
        return "\n  ".join([head, *lines])


def gradcheck(
    f: Callable[..., Any] | Layer,
    *inputs: Any,
    generator: Generator | None = None,
    training: bool = True,
    eps: float = STEP,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    directions: int = 3,
    max_elements: int = 100,
    raise_error: bool = True,
) -> GradcheckReport:
    """Compare backward with central differences, along random directions and element by element.

    Parameters
    ----------
    f : operation, loss, layer or model
        An operation of the form ``y, backward = f(*inputs)``, your own included; settings it needs can
        be given by a lambda. Of a `Layer`, the gradients of x and of every parameter that is not frozen
        are checked; every run of it draws the same random numbers, and parameters and running statistics
        are left as they were. An object with a method ``forward``, such as a loss of `npnet.nn`, stands
        for that method.
    *inputs : arrays and settings
        What f is called with. Floating-point arrays are differentiated and must be float64: the
        rounding of float32 would drown all but gross mistakes. Anything else (labels, sizes, None) is
        passed on. Gradients from backward are in the order of the inputs, None for what is not
        differentiated; a single array instead of a tuple is the gradient of the first floating-point
        input, and the others count as data, as in a loss.
    generator : numpy.random.Generator, optional
        Draws grad_y, the directions and the elements; without one they are the same in every call.
    training : bool
        The mode a layer is run in.
    eps : float
        The step, relative to max(1, abs(x)).
    rtol, atol : float
        What is tolerated: atol + rtol times the derivative + what rounding in f may amount to.
    directions : int
        How many random directions to look along, for each input.
    max_elements : int
        How many elements to look at, for each input; of more, a random sample is taken.
    raise_error : bool
        Whether to raise when backward is wrong, or only to report it.

    Returns
    -------
    report : GradcheckReport
        Of each input, how many derivatives were compared, and which were wrong or at kinks.

    Raises
    ------
    GradcheckError
        If a derivative is wrong; if an input has nothing but kinks; if gradients are missing, or of a wrong
        shape or dtype; if backward gives something else the second time, or after f has run again; if
        f modifies what it is given, or does not give the same twice.
    DTypeError
        If an input or parameter is of a floating-point dtype other than float64.
    InputError
        If nothing given can be differentiated, or an input is not finite.

    Notes
    -----
    A kink is told from a wrong gradient by taking the one-sided slopes with ever smaller steps. They
    differ by h L″ where L is smooth, so by 64 times less at a step 64 times smaller; at a kink their
    difference stays. A kink nearby, not exactly at x, is out of reach of the smaller steps.

    References
    ----------
    Baydin, Pearlmutter, Radul, Siskind (2018), *Automatic differentiation in machine learning: a survey*,
    section 2.1, on the two errors of numerical differentiation. Kinks and random directions are looked
    after in Chainer's ``gradient_check`` too, random upstream gradients in PyTorch's ``gradcheck``.

    Examples
    --------
    >>> import numpy as np
    >>> def square(x):
    ...     return x**2, lambda grad_y: 2 * grad_y * x
    >>> gradcheck(square, np.array([1.0, -2.0, 3.0])).passed
    True
    >>> def wrong(x):
    ...     return x**2, lambda grad_y: grad_y * x
    >>> report = gradcheck(wrong, np.array([1.0, -2.0, 3.0]), raise_error=False)
    >>> print(str(report).splitlines()[-1])
        wherever it is wrong, backward gives 0.5 times the right value
    """
    if generator is None:
        generator = np.random.default_rng(SEED)
    subject: _Subject
    if isinstance(f, Layer):
        subject = _Model(f, inputs, training=training, seed=int(generator.integers(2**62)))
    else:
        subject = _Operation(f, inputs)
    _require_float64(subject)

    tolerances = _Tolerances(eps, rtol, atol)
    try:
        claim = _Claim(subject, generator)
        reports = tuple(
            _check_input(claim, name, generator, tolerances, directions, max_elements)
            for name in subject.variables
        )
        claim.require_unchanged_gradients("after f has run again, so it relies on something outside it")
        report = GradcheckReport(subject.name, reports)
    except _ProblemError as problem:
        report = GradcheckReport(subject.name, problem=str(problem))
    if raise_error and not report.passed:
        raise GradcheckError(report)
    return report


class _ProblemError(Exception):
    """Something is so wrong that derivatives need not be looked at."""


@dataclass(frozen=True)
class _Tolerances:
    eps: float
    rtol: float
    atol: float


# ---- what is checked: a function of named arrays ---------------------------------------------------


@runtime_checkable
class _Subject(Protocol):
    """A function of named float64 arrays, whatever it was made from."""

    name: str
    variables: Mapping[str, ndarray]  # what is differentiated
    given: Mapping[str, ndarray]  # all arrays handed in, which must stay as they are

    def run(self, changed: Mapping[str, ndarray]) -> tuple[Any, Any]:
        """Return ``y, backward`` with some of the variables changed."""

    def gradients(self, backward: Callable[..., Any], grad_y: ndarray) -> dict[str, Any]:
        """Run backward and name what it gives; None where it gives none."""


class _Operation:
    def __init__(self, f: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
        self.call = getattr(f, "forward", f)
        self.name = getattr(f, "__name__", type(f).__name__)
        self.inputs = inputs
        self.labels = [
            f"input {k} {name!r}" for k, name in enumerate(_argument_names(self.call, len(inputs)))
        ]
        self.given: Mapping[str, ndarray] = {
            label: array
            for label, array in zip(self.labels, inputs, strict=True)
            if isinstance(array, ndarray)
        }
        self.variables: Mapping[str, ndarray] = {
            label: array for label, array in self.given.items() if array.dtype.kind == "f"
        }

    def run(self, changed: Mapping[str, ndarray]) -> tuple[Any, Any]:
        return _pair(
            self.call(
                *(changed.get(label, value) for label, value in zip(self.labels, self.inputs, strict=True))
            )
        )

    def gradients(self, backward: Callable[..., Any], grad_y: ndarray) -> dict[str, Any]:
        grads = backward(grad_y)
        if grads is None:
            raise _ProblemError("backward returns None; its return statement seems to be missing")
        if not isinstance(grads, tuple | list):  # the other inputs are data
            first = next(iter(self.variables))
            self.variables = {first: self.variables[first]}
            return {first: grads}
        # Inputs that were left to their defaults may be answered with None after those that were given.
        named = dict(zip(self.labels, grads, strict=False))
        wanted = [label for label in self.variables if label not in named]
        unasked = [label for label, grad in named.items() if grad is not None and label not in self.variables]
        if wanted or unasked or any(grad is not None for grad in grads[len(self.labels) :]):
            raise _ProblemError(
                f"backward must give a gradient for each of {', '.join(self.variables)} and None for other "
                f"inputs, in their order, got {len(grads)}: "
                + ", ".join("None" if grad is None else str(np.shape(grad)) for grad in grads)
            )
        return {label: named[label] for label in self.variables}


class _Model:
    def __init__(self, layer: Layer, inputs: tuple[Any, ...], *, training: bool, seed: int) -> None:
        if len(inputs) != 1 or not isinstance(inputs[0], ndarray):
            raise InputError(f"gradcheck: a layer must be given one array x, got {len(inputs)} inputs")
        self.layer, self.training, self.seed = layer, training, seed
        self.name = type(layer).__name__
        self.x_label, self.x = "input 0 'x'", inputs[0]
        self.parameters = {f"parameter {name!r}": array for name, array in layer.parameters.items()}
        self.given: Mapping[str, ndarray] = {self.x_label: self.x, **self.parameters}
        frozen = {f"parameter {name!r}" for name in layer.frozen_parameters}
        self.variables: Mapping[str, ndarray] = {
            label: array
            for label, array in self.given.items()
            if array.dtype.kind == "f" and label not in frozen
        }

    def run(self, changed: Mapping[str, ndarray]) -> tuple[Any, Any]:
        parameters = [
            (self.parameters[label], new) for label, new in changed.items() if label != self.x_label
        ]
        saved = [(array, array.copy()) for array, _ in parameters]
        buffers = [
            (layer, name, array, array.copy())
            for _, layer in self.layer.named_layers()
            for name in layer.buffer_names
            if (array := getattr(layer, name)) is not None
        ]
        try:
            for array, new in parameters:
                array[...] = new
            y, backward = _pair(
                self.layer.forward(
                    changed.get(self.x_label, self.x),
                    training=self.training,
                    generator=np.random.default_rng(self.seed),
                )
            )
            return np.array(y), backward  # a copy: y may be a view of a parameter
        finally:
            for array, old in saved:
                array[...] = old
            for layer, name, array, old in buffers:
                array[...] = old
                setattr(layer, name, array)

    def gradients(self, backward: Callable[..., Any], grad_y: ndarray) -> dict[str, Any]:
        grad_x, grads = _pair(
            backward(grad_y), "backward of a layer must give grad_x and a dict of gradients"
        )
        named = {f"parameter {name!r}": grad for name, grad in grads.items()}
        expected = {label for label in self.variables if label != self.x_label}
        if named.keys() != expected:
            raise _ProblemError(
                f"backward must give gradients for all parameters that are not frozen; missing: "
                f"{', '.join(sorted(expected - named.keys())) or 'none'}; "
                f"not expected: {', '.join(sorted(named.keys() - expected)) or 'none'}"
            )
        return {self.x_label: grad_x, **named} if self.x_label in self.variables else named


def _argument_names(f: Callable[..., Any], count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # built-in functions may have none
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return (names + [str(k) for k in range(len(names), count)])[:count]


def _pair(returned: Any, message: str = "f must return y and backward") -> tuple[Any, Any]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise _ProblemError(f"{message}, got {type(returned).__name__}")
    return returned


def _require_float64(subject: _Subject) -> None:
    if not subject.variables:
        raise InputError("gradcheck: at least one input must be a float64 array, to be differentiated")
    for label, array in subject.given.items():
        if array.dtype.kind in "fc" and array.dtype != np.float64:
            raise DTypeError(
                f"gradcheck: {label} must be float64, got {array.dtype}; convert a copy with "
                ".astype(np.float64), of a layer with layer.astype(np.float64)"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"gradcheck: {label} must be finite, got inf or NaN among its elements")


# ---- what backward claims --------------------------------------------------------------------------


class _Claim:
    """One run of f forward and backward: the output, a random grad_y, and the gradients to be verified."""

    def __init__(self, subject: _Subject, generator: Generator) -> None:
        self.subject = subject
        before = {label: array.copy() for label, array in subject.given.items()}
        y, self.backward = subject.run({})
        self.y = _output(y)
        self.require_unmodified("f", before)
        if not _same(self.y, _output(subject.run({})[0])):
            raise _ProblemError(
                "f gives different outputs for the same inputs; if it draws random numbers, "
                "let every call start from the same seed, and if it keeps state, from the same state"
            )

        self.grad_y = np.array(generator.standard_normal(self.y.shape))
        grad_y = self.grad_y.copy()
        gradients = subject.gradients(self.backward, grad_y)
        if not _same(grad_y, self.grad_y):
            raise _ProblemError("backward modifies grad_y")
        self.require_unmodified("backward", before)
        self.gradients = {
            label: _gradient(label, gradients[label], array) for label, array in subject.variables.items()
        }
        self.require_unchanged_gradients("when called a second time")

    def require_unmodified(self, what: str, before: dict[str, ndarray]) -> None:
        for label, array in self.subject.given.items():
            if not _same(array, before[label]):
                array[...] = before[label]
                raise _ProblemError(f"{what} modifies {label}")

    def require_unchanged_gradients(self, when: str) -> None:
        again = self.subject.gradients(self.backward, self.grad_y.copy())
        for label, array in self.subject.variables.items():
            if not _same(self.gradients[label], _gradient(label, again[label], array)):
                raise _ProblemError(f"backward gives a different gradient for {label} {when}")


def _output(y: Any) -> ndarray:
    if not isinstance(y, ndarray | np.floating) or y.dtype != np.float64:
        raise _ProblemError(
            f"f must return float64 for float64 inputs, got {getattr(y, 'dtype', type(y).__name__)}"
        )
    return np.array(y)


def _gradient(label: str, grad: Any, array: ndarray) -> ndarray:
    if grad is None:  # claims that nothing depends on this input, and is held to it
        return np.zeros(array.shape)
    if np.shape(grad) != array.shape:
        raise _ProblemError(f"the gradient for {label} must have shape {array.shape}, got {np.shape(grad)}")
    if getattr(grad, "dtype", None) != np.float64:
        got = getattr(grad, "dtype", type(grad).__name__)
        raise _ProblemError(f"the gradient for {label} must be float64, got {got}")
    return np.array(grad)


def _same(a: ndarray, b: ndarray) -> bool:
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


# ---- numerical derivatives -------------------------------------------------------------------------


def _check_input(
    claim: _Claim,
    label: str,
    generator: Generator,
    tolerances: _Tolerances,
    directions: int,
    max_elements: int,
) -> InputReport:
    x = claim.subject.variables[label]
    scale = np.maximum(1, np.abs(x))
    taken: list[tuple[Derivative, bool]] = []
    for _ in range(directions if x.size else 0):
        direction = np.array(scale * generator.standard_normal(x.shape))
        taken.append(_derivative(claim, label, direction, None, tolerances))
    for flat in _sample(x.size, max_elements, generator):
        index = tuple(int(i) for i in np.unravel_index(flat, x.shape))
        direction = np.zeros(x.shape)
        direction[index] = scale[index]
        taken.append(_derivative(claim, label, direction, index, tolerances))

    failures = [d for d, kink in taken if d.error > 1 and not kink]
    return InputReport(
        name=label,
        shape=x.shape,
        elements=sum(d.index is not None for d, _ in taken),
        directions=sum(d.index is None for d, _ in taken),
        worst=max((d.error for d, _ in taken if d.error <= 1), default=0.0),
        failures=tuple(failures),
        kinks=tuple(d for d, kink in taken if kink),
    )


def _sample(size: int, most: int, generator: Generator) -> Sequence[int]:
    if size <= most:
        return range(size)
    return sorted(int(i) for i in generator.choice(size, most, replace=False))


def _derivative(
    claim: _Claim, label: str, direction: ndarray, index: tuple[int, ...] | None, tolerances: _Tolerances
) -> tuple[Derivative, bool]:
    """Take one derivative, with several steps if need be; the flag says whether it is a kink."""
    steps = [tolerances.eps / SMALLER**k for k in range(3)]
    tried: list[Derivative] = []
    for step in [*steps, tolerances.eps * SMALLER]:
        tried.append(_differences(claim, label, direction, step, index, tolerances))
        if tried[-1].error <= 1:
            return tried[-1], False
    if _is_kink(tried[: len(steps)]):
        return tried[len(steps) - 1], True
    return min(tried, key=lambda d: d.error), False


def _differences(
    claim: _Claim,
    label: str,
    direction: ndarray,
    step: float,
    index: tuple[int, ...] | None,
    tolerances: _Tolerances,
) -> Derivative:
    """Compare what a step to either side does to L with what the gradient says it does."""
    x = claim.subject.variables[label]
    x_plus, x_minus = np.array(x + step * direction), np.array(x - step * direction)
    y_plus = _output(claim.subject.run({label: x_plus})[0])
    y_minus = _output(claim.subject.run({label: x_minus})[0])
    if y_plus.shape != claim.y.shape or y_minus.shape != claim.y.shape:
        raise _ProblemError(f"the shape of y must not depend on the values of {label}")
    # An element's derivative is per unit of that element, a direction's per unit of the direction.
    width = float(x_plus[index] - x_minus[index]) if index is not None else 2 * step
    gradient, grad_y = claim.gradients[label], claim.grad_y

    with np.errstate(invalid="ignore", over="ignore"):  # an output that is not finite is reported below
        analytic = float((gradient * (x_plus - x_minus)).sum()) / width
        numerical = float((grad_y * (y_plus - y_minus)).sum()) / width
        right = float((grad_y * (y_plus - claim.y)).sum()) / (width / 2)
        left = float((grad_y * (claim.y - y_minus)).sum()) / (width / 2)
        size = np.where(y_plus == y_minus, 0, np.maximum(np.abs(y_plus), np.abs(y_minus)))
        rounding = ROUNDINGS * UNIT * float((np.abs(grad_y) * size).sum()) / width
    tolerance = tolerances.atol + tolerances.rtol * max(abs(analytic), abs(numerical)) + rounding
    return Derivative(index, analytic, numerical, tolerance, left, right)


def _is_kink(tried: Sequence[Derivative]) -> bool:
    """Tell whether the slopes of the two sides stay apart as the step becomes smaller and smaller.

    Curvature makes their gap 64 times smaller between the first step and the last, and rounding makes it
    64 times larger; at a kink it stays. Halfway between on the logarithmic scale it is told which.
    """
    first, last = (abs(d.right - d.left) for d in (tried[0], tried[-1]))
    return first / SMALLER < last < first * SMALLER and last > 4 * tried[-1].tolerance
