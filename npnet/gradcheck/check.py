"""The gradient check of an operation, a layer or a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.random import Generator

from npnet import check
from npnet.gradcheck._claim import Claim
from npnet.gradcheck._derivative import STEP, Tolerances, check_input
from npnet.gradcheck._subject import Model, Operation, ProblemError, Subject, require_float64
from npnet.gradcheck._vary import WAYS
from npnet.gradcheck.report import GradcheckError, GradcheckReport
from npnet.nn.layer import Layer

# Not a seed anyone would draw inputs from: with grad_y equal to x, grad_yᵀ x is symmetric, and a transposed
# gradient of the weight would pass.
SEED = 0x677261646368656B
KINDS = "an operation y, backward = f(*inputs), a layer or a model"


def gradcheck(
    f: Callable[..., Any] | Layer,
    *inputs: Any,
    generator: Generator | None = None,
    training: bool = True,
    eps: float = STEP,
    rtol: float = 1e-6,
    atol: float = 0.0,
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
        are checked; every run of it draws the same random numbers. Meanwhile the parameters that are not
        frozen, and running statistics, have other values near theirs, as ones and zeros hide mistakes;
        afterwards they are as they were, also upon an error. An object with a method ``forward``, such as a loss of `npnet.nn`, stands
        for that method.
    *inputs : arrays and settings
        What f is called with. Floating-point arrays are differentiated and must be float64: the
        rounding of float32 would drown all but gross mistakes. Anything else (labels, sizes, None) is
        passed on. Gradients from backward are in the order of the inputs, None for what is not
        differentiated; a single array instead of a tuple is the gradient of the first floating-point
        input, and the others count as data, as in a loss. Inputs behind the first that hold nothing but
        zeros and ones are replaced by other values near them, if f takes these.
    generator : numpy.random.Generator, optional
        Draws grad_y, the directions and the elements; without one they are the same in every call.
    training : bool
        The mode a layer is run in.
    eps : float
        The step tried first, relative to max(1, abs(x)); where it does not decide, steps of all sizes are
        tried.
    rtol, atol : float
        What is tolerated: atol + rtol times the derivative + what rounding in f may amount to, which is
        measured.
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
        shape or dtype; if f or backward gives NaN or infinity; if backward gives something else the second
        time, or after f has run again; if it is not linear in grad_y; if f modifies what it is given, or does not give the same twice.
    DTypeError
        If an input or parameter is of a floating-point dtype other than float64, or an input is a matrix or
        a masked array.
    InputError
        If f is none of these, a setting is out of range, nothing given can be differentiated, an input is
        not finite, or a parameter is read-only.

    Notes
    -----
    A kink is told from a wrong gradient by taking the one-sided slopes with ever smaller steps. They
    differ by h L″ where L is smooth, so by 64 times less at a step 64 times smaller; at a kink their
    difference stays. A kink nearby, not exactly at x, is out of reach of the smaller steps.

    A right derivative takes two runs of f where the first step decides, and at most some fifty where all
    steps must be tried; a step that decided is tried first for the elements that follow.

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
    settings = _settings(generator, training, eps, rtol, atol, directions, max_elements, raise_error)
    source, tolerances, directions, max_elements = settings
    subject: Subject
    if isinstance(f, Layer):
        subject = Model(f, inputs, training=bool(training), seed=int(source.integers(2**62)))
    else:
        check.function("gradcheck", "f", getattr(f, "forward", f), KINDS)
        subject = Operation(f, inputs)
    require_float64(subject)
    with _varied(subject, source) as varied:
        report = _report(subject, source, tolerances, directions, max_elements, varied=varied)
    if raise_error and not report.passed:
        raise GradcheckError(report)
    return report


def _report(
    subject: Subject,
    generator: Generator,
    tolerances: Tolerances,
    directions: int,
    max_elements: int,
    *,
    varied: bool,
) -> GradcheckReport:
    try:
        claim = Claim(subject, generator)
        reports = tuple(
            check_input(claim, name, generator, tolerances, directions, max_elements)
            for name in subject.variables
        )
        claim.require_unchanged_gradients("after f has run again, so it relies on something outside it")
        if all(found.passed for found in reports):
            claim.require_linear(generator)
    except ProblemError as problem:
        return GradcheckReport(subject.name, problem=str(problem), varied=varied)
    return GradcheckReport(subject.name, reports, unchecked=tuple(subject.unchecked), varied=varied)


@contextmanager
def _varied(subject: Subject, generator: Generator) -> Iterator[bool]:
    """Have what starts at zeros and ones be elsewhere meanwhile, if f exists there; say whether it is."""
    for way in range(len(WAYS)):
        with subject.varied(generator, way) as changed:
            if not changed:
                break
            if _exists(subject):
                yield True
                return
    yield False


def _exists(subject: Subject) -> bool:
    try:
        with np.errstate(all="ignore"):
            y, _ = subject.run({})
        return bool(np.isfinite(y).all())
    except Exception:  # noqa: BLE001 - whatever f says of values of ours, it is asked again with the given ones
        return False


def _settings(
    generator: Generator | None,
    training: bool,
    eps: float,
    rtol: float,
    atol: float,
    directions: int,
    max_elements: int,
    raise_error: bool,
) -> tuple[Generator, Tolerances, int, int]:
    """Require what the docstring says, and return it as plain Python has it."""
    if generator is None:
        generator = np.random.default_rng(SEED)
    check.generator("gradcheck", generator)
    check.flag("gradcheck", "training", training)
    check.flag("gradcheck", "raise_error", raise_error)
    return (
        generator,
        Tolerances(
            check.number("gradcheck", "eps", eps, above=0.0, most=1.0),
            check.number("gradcheck", "rtol", rtol, least=0.0, below=1.0),
            check.number("gradcheck", "atol", atol, least=0.0),
        ),
        check.integer("gradcheck", "directions", directions, least=0),
        check.integer("gradcheck", "max_elements", max_elements, least=0),
    )
