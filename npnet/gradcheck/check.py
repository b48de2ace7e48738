"""The gradient check of an operation, a layer or a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from npnet import check
from npnet.gradcheck._claim import Claim, ShapeError
from npnet.gradcheck._derivative import STEP, Settings, check_input
from npnet.gradcheck._subject import (
    Model,
    Operation,
    ProblemError,
    Subject,
    require_float64,
    without_gradients,
)
from npnet.gradcheck._vary import WAYS
from npnet.gradcheck.report import GradcheckError, GradcheckReport, WrongLayer
from npnet.nn.layer import Layer

if TYPE_CHECKING:
    from npnet.gradcheck.explanation import Explanation

# A seed that no user draws inputs from: with grad_y equal to x, grad_yᵀ x would be symmetric, and a
# transposed gradient of a weight would pass.
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
    explain: bool = True,
) -> GradcheckReport:
    """Compare backward with central differences, along random directions and element by element.

    Parameters
    ----------
    f : operation, loss, layer or model
        An operation of the form ``y, backward = f(*inputs)``, your own included; pass settings by a lambda.
        For a `Layer`, the gradients of x and of every parameter that is not frozen are checked, and every
        run draws the same random numbers. During the check, parameters that are not frozen and running
        statistics take other values near their own, because ones and zeros hide mistakes; afterwards, and
        after an error, they have their own values again. For an object with a method ``forward``, such as a
        loss of `npnet.nn`, that method is checked.
    *inputs : arrays and settings
        The arguments of f. Floating-point arrays are differentiated and must be float64, because rounding in
        float32 would hide all but gross mistakes. Anything else (labels, sizes, None) is passed on. Backward
        returns gradients in the order of the inputs, and None for inputs that are not differentiated. If it
        returns one array instead of a tuple, that is the gradient of the first floating-point input, and the
        others count as data, as in a loss. Inputs after the first that hold only zeros and ones are replaced
        by other values near them, if f accepts these.
    generator : numpy.random.Generator, optional
        Draws grad_y, the directions and the elements; by default the same in every call.
    training : bool
        Whether a layer runs in training mode.
    eps : float
        The first step, relative to max(1, abs(x)); where it does not decide, steps of all sizes are tried.
    rtol, atol : float
        The tolerance is atol + rtol times the derivative + the measured effect of rounding in f.
    directions : int
        Number of random directions for each input.
    max_elements : int
        Number of elements for each input; a larger input is sampled at random.
    raise_error : bool
        Whether to raise an error if backward is wrong, or only to report it.
    explain : bool
        Whether to look for the mistake in a wrong gradient, and for the layers of a model whose own backward
        is wrong. That takes more runs of f.

    Returns
    -------
    report : GradcheckReport
        For each input, how many derivatives were compared, and which were wrong or at kinks; for wrong
        gradients, what is wrong with them.

    Raises
    ------
    GradcheckError
        If a derivative is wrong; if all derivatives of an input are at kinks; if a gradient is missing or
        has a wrong shape or dtype; if f or backward gives NaN or infinity; if backward gives a different
        result the second time, or after f has run again; if it is not linear in grad_y; if f modifies its
        inputs, or gives different results for the same inputs.
    DTypeError
        If an input or parameter is of a floating-point dtype other than float64, or an input is a matrix or
        a masked array.
    InputError
        If f is none of these, a setting is out of range, no input can be differentiated, an input is not
        finite, or a parameter is read-only.

    Notes
    -----
    One-sided slopes at ever smaller steps distinguish a kink from a wrong gradient. Where L is smooth they
    differ by h L″, so by 64 times less at a step 64 times smaller; at a kink their difference stays the
    same. The smaller steps do not reach a kink near x.

    Of a wrong model each layer's own backward is checked, with the input and the upstream gradient it had in
    that step. So the report names the layer that is wrong, and none of those below it, whose gradients are
    wrong because of it.

    A right derivative takes two runs of f where the first step decides, and about fifty where all steps
    must be tried. A step that decided is tried first for the next elements.

    References
    ----------
    Baydin, Pearlmutter, Radul, Siskind (2018), *Automatic differentiation in machine learning: a survey*,
    section 2.1, on the two errors of numerical differentiation. Chainer's ``gradient_check`` handles kinks
    and random directions too, PyTorch's ``gradcheck`` random upstream gradients.

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
    >>> report.explanations[0].sentence
    'it is half the right gradient: a factor of 2 is missing'
    """
    check.flag("gradcheck", "training", training)
    check.flag("gradcheck", "raise_error", raise_error)
    source = np.random.default_rng(SEED) if generator is None else check.generator("gradcheck", generator)
    settings = _settings(eps, rtol, atol, directions, max_elements, explain=explain)
    subject: Subject
    if isinstance(f, Layer):
        own_source = np.random.default_rng(int(source.integers(2**62)))
        subject = Model(f, inputs, training=bool(training), generator=own_source)
    else:
        check.function("gradcheck", "f", getattr(f, "forward", f), KINDS)
        subject = Operation(f, inputs)
    require_float64(subject)
    with _varied(subject, source) as varied:
        report = replace(_report(subject, source, settings), varied=varied)
    if raise_error and not report.passed:
        raise GradcheckError(report)
    return report


def _report(
    subject: Subject, generator: Generator, settings: Settings, grad_y: ndarray | None = None
) -> GradcheckReport:
    """Check a subject with its inputs as they are; without a grad_y, one is drawn."""
    shown = GradcheckReport(subject.name)
    try:
        claim = Claim(subject, generator, grad_y)
        checked = {name: check_input(claim, name, generator, settings) for name in subject.variables}
        reports = tuple(report for report, _ in checked.values())
        claim.require_unchanged_gradients("after f has run again, so it relies on something outside it")
        wrong = [report.name for report in reports if report.failures]
        if not wrong:
            claim.require_linear(generator)
    except ShapeError as problem:
        return replace(shown, problem=str(problem), explanations=_of_shape(problem, generator, settings))
    except ProblemError as problem:
        return replace(shown, problem=str(problem))
    shown = replace(shown, inputs=reports, unchecked=tuple(subject.unchecked))
    if not wrong or not settings.explain:
        return shown
    from npnet.gradcheck._numerical import explanations  # noqa: PLC0415 - only for a wrong gradient

    layers = _wrong_layers(subject, claim, generator, settings)
    if layers:
        return replace(shown, layers=layers)
    elements = {name: found for name, (_, found) in checked.items()}
    return replace(shown, explanations=explanations(claim, elements, wrong))


def _of_shape(problem: ShapeError, generator: Generator, settings: Settings) -> tuple[Explanation, ...]:
    """Explain the gradients of a wrong shape, with the others as they are."""
    if not settings.explain:
        return ()
    from npnet.gradcheck._numerical import explanation_of_shape  # noqa: PLC0415 - only for a wrong gradient

    subject, labels = problem.subject, [problem.label]
    try:
        while True:
            try:
                with without_gradients(subject, labels):
                    claim = Claim(subject, generator)
                return tuple(explanation_of_shape(claim, label) for label in labels)
            except ShapeError as another:
                labels.append(another.label)
    except ProblemError:  # something else is wrong too: the shape is to be mended first
        return ()


def _wrong_layers(
    subject: Subject, claim: Claim, generator: Generator, settings: Settings
) -> tuple[WrongLayer, ...]:
    """Find the layers of a model whose own backward is wrong, in the order in which backward comes to them.

    Each is checked with the input and the upstream gradient it had in the step of the claim. What comes out
    of a right layer below a wrong one is wrong too, but its own backward is not.
    """
    if not isinstance(subject, Model) or len(list(subject.layer.named_layers())) == 1:
        return ()
    from npnet.gradcheck._recorded import recorded  # noqa: PLC0415 - only for a wrong gradient

    with recorded(subject.layer) as record:
        _, backward = subject.run({})
        subject.gradients(backward, claim.grad_y.copy())
    found: list[WrongLayer] = []
    for call in record.backward:
        holds_wrong = any(call.name == "" or each.name.startswith(f"{call.name}.") for each in found)
        if call.layer is subject.layer or holds_wrong or call.grad_y is None:
            continue
        inner = Model(call.layer, (call.x,), training=subject.training, generator=call.generator)
        if not inner.variables:
            continue
        report = _report(inner, generator, settings, call.grad_y)
        if not report.passed and not report.only_kinks:
            found.append(WrongLayer(call.name, type(call.layer).__name__, report.reason, report))
    return tuple(found)


@contextmanager
def _varied(subject: Subject, generator: Generator) -> Iterator[bool]:
    """Replace zeros and ones by values that f accepts inside a ``with`` block; yield whether it did."""
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
    except Exception:  # noqa: BLE001 - f may reject our values in any way; the given ones are tried next
        return False


def _settings(
    eps: float, rtol: float, atol: float, directions: int, max_elements: int, *, explain: bool
) -> Settings:
    """Check the settings, and return them as plain Python values."""
    return Settings(
        eps=check.number("gradcheck", "eps", eps, above=0.0, most=1.0),
        rtol=check.number("gradcheck", "rtol", rtol, least=0.0, below=1.0),
        atol=check.number("gradcheck", "atol", atol, least=0.0),
        directions=check.integer("gradcheck", "directions", directions, least=0),
        max_elements=check.integer("gradcheck", "max_elements", max_elements, least=0),
        explain=check.flag("gradcheck", "explain", explain),
    )
