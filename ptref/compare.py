"""The comparison itself: run both sides, judge what the one gives by the truth the other gives."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from npnet import check
from npnet.errors import InputError, MissingError
from npnet.gradcheck._vary import WAYS, hides, varied
from npnet.nn import Layer
from ptref._explained import explanations, wrong_layers
from ptref._reference import Reference
from ptref._scale import Scale
from ptref._subject import Outcome, Run
from ptref.bounds import Rule, measured
from ptref.convert import to_torch
from ptref.device import has_gpu, why_no_gpu
from ptref.draw import LAYOUTS
from ptref.report import Report

__all__ = ["assert_parity", "compare"]

_Settings = tuple[dict[str, Any], tuple[int, ...], bool, dict[str, str]]


def compare(
    subject: Callable[..., Any] | Layer,
    reference: Callable[..., Any] | None,
    *inputs: ndarray | None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    rule: Rule = measured,
    state: Sequence[int] = (),
    training: bool = True,
    names: Mapping[str, str] | None = None,
    layouts: bool = True,
    vary: bool = True,
    device: str = "cpu",
    explain: bool = True,
) -> Report:
    """Run subject and reference on the same inputs and say how far apart they are, forward and backward.

    Parameters
    ----------
    subject : callable, layer or model
        An operation ``y, backward = subject(*inputs, **options)`` whose backward gives the gradients of its
        first inputs; or a layer, whose ``forward`` is called, and whose parameters' gradients are compared;
        or a loss. Your own are as welcome as npnet's.
    reference : callable
        A PyTorch function or module of the same inputs. Where subject is a layer, a module takes on the
        layer's parameters and buffers (in a copy, yours stays as it is), and a function is given its
        parameters by keyword. None stands for ``ptref.convert.to_torch(subject)``, of a layer or a model.
    *inputs : array or None
        In their order, None where an optional one is absent. Floating-point inputs have one dtype.
    options : mapping, optional
        Given to both by keyword.
    seed : int
        Of the upstream gradient, and of the generator a layer is given.
    rule : Rule
        How errors are bounded, one of `ptref.bounds`.
    state : sequence of int
        Positions of inputs that are updated in place; their new values are compared too.
    training : bool
        The mode of layers and modules.
    names : mapping, optional
        From the layer's names of parameters and buffers to the module's, where they differ.
    layouts : bool
        Whether the subject is run again with its inputs laid out differently in memory.
    vary : bool
        Whether both are run again with other values where parameters, statistics or inputs behind the first
        hold nothing but zeros and ones, at which mistakes hide: a factor of 1 that is forgotten does not
        show. What is frozen stays, and so does the subject itself.
    device : str
        "cuda" has PyTorch on CUDA judged too, by the same truth.
    explain : bool
        Whether to look for the mistake in a gradient that differs, and for the layers of a model that differ
        by themselves.

    Returns
    -------
    report : Report

    Raises
    ------
    InputError
        If an argument is not what it must be, dtypes or devices are mixed, or the parameters of layer and
        module do not fit together.
    MissingError
        If CUDA is asked for and there is none.

    Examples
    --------
    A gradient transposed by mistake is found, although the shapes are right:

    >>> def product(x, weight):
    ...     return x @ weight, lambda grad_y: (grad_y @ weight, x.T @ grad_y)
    >>> rng = np.random.default_rng(0)
    >>> report = compare(product, torch.matmul, rng.normal(size=(3, 3)), rng.normal(size=(3, 3)))
    >>> [quantity.name for quantity in report.quantities if not quantity.agrees]
    ['grad_x']
    """
    reference = _check_arguments(subject, reference, options, rule, training, names, layouts, vary, explain)
    seed = check.integer("compare", "seed", seed, least=0)
    places = _places(state, len(inputs))
    check_device(device)
    settings: _Settings = (dict(options or {}), places, training, dict(names or {}))
    checks = _Checks(seed, rule, device, layouts=layouts, vary=vary, explain=explain)
    return _compared(subject, reference, inputs, settings, checks)


@dataclass(frozen=True)
class _Checks:
    """What a comparison checks, and by which rule."""

    seed: int
    rule: Rule
    device: str
    layouts: bool
    vary: bool
    explain: bool


def _compared(
    subject: Callable[..., Any] | Layer,
    reference: Callable[..., Any],
    inputs: Sequence[ndarray | None],
    settings: _Settings,
    checks: _Checks,
    upstream: ndarray | None = None,
) -> Report:
    """Run both sides and judge; without an upstream gradient, one is drawn."""
    theirs = Reference(reference, subject, inputs, *settings)
    shape = theirs.output_shape(inputs)
    if upstream is None:
        rng = np.random.default_rng(checks.seed)
        upstream = _upstream(rng, shape, theirs.dtype, whole=checks.rule.whole)
    run = Run(subject, theirs, checks.seed, settings[2])
    outcome, violations = run.checked(inputs, upstream)
    report = Report(
        subject=_name(subject),
        reference=_name(reference),
        inputs=theirs.described(inputs),
        options=theirs.options,
        dtype=theirs.dtype,
        seed=checks.seed,
    )
    if outcome["y"].shape != shape:
        violations.append(f"y has shape {outcome['y'].shape}, PyTorch's has {shape}")
        return replace(report, violations=tuple(violations))
    scale = Scale(theirs, inputs, upstream, tuple(outcome), checks.rule)
    quantities = scale.judged(outcome)
    violations += _shape_violations(outcome, scale.truth)
    wrong = {quantity.name for quantity in quantities if not quantity.agrees}
    if checks.layouts:
        violations += _layout_violations(run, scale, inputs, upstream, wrong)
    if checks.vary:
        violations += _varied_violations(
            subject, reference, inputs, settings, checks.seed, checks.rule, upstream
        )
    if checks.device != "cpu":
        quantities += scale.judged_on(checks.device)
    report = replace(report, quantities=quantities, violations=tuple(violations))
    return _explained(report, run, scale, outcome, inputs, upstream, reference, checks)


def _explained(
    report: Report,
    run: Run,
    scale: Scale,
    outcome: Outcome,
    inputs: Sequence[ndarray | None],
    upstream: ndarray,
    reference: Callable[..., Any],
    checks: _Checks,
) -> Report:
    """Return the report with what is wrong with the gradients that differ, if any does."""
    refuted = scale.refuted(outcome)
    if not checks.explain or not refuted:
        return report
    subject, x = run.subject, inputs[0]
    if isinstance(subject, Layer) and len(inputs) == 1 and x is not None:
        alone = replace(checks, rule=measured, layouts=False, vary=False, device="cpu")

        def compared(layer: Layer, module: Callable[..., Any], x: ndarray, grad_y: ndarray) -> Report:
            return _compared(layer, module, [x], ({}, (), run.training, {}), alone, grad_y)

        layers = wrong_layers(subject, reference, x, upstream, run, compared)
        if layers:
            return replace(report, layers=layers)
    truth = {name: value.numpy() for name, value in scale.truth.items()}
    return replace(report, explanations=explanations(run, inputs, upstream, outcome, truth, refuted))


def assert_parity(
    subject: Callable[..., Any] | Layer,
    reference: Callable[..., Any] | None,
    *inputs: ndarray | None,
    **settings: Any,
) -> Report:
    """Compare as `compare` does, and raise where a difference is found.

    Parameters
    ----------
    subject, reference, *inputs, **settings
        As in `compare`.

    Returns
    -------
    report : Report

    Raises
    ------
    AssertionError
        With the report: operation, shapes, options, seed, and the worst element with its value, PyTorch's,
        the truth and the bound.

    Examples
    --------
    >>> from npnet import nn
    >>> layer = nn.Linear(3, 2, generator=np.random.default_rng(0), dtype=np.float64)
    >>> report = assert_parity(layer, torch.nn.Linear(3, 2), np.ones((4, 3)))
    >>> [quantity.name for quantity in report.quantities]
    ['y', 'grad_x', 'grad_weight', 'grad_bias']
    """
    report = compare(subject, reference, *inputs, **settings)
    if not report.agrees:
        raise AssertionError(f"\n{report}")
    return report


def _layout_violations(
    run: Run, scale: Scale, inputs: Sequence[ndarray | None], upstream: ndarray, wrong: set[str]
) -> list[str]:
    """Run again with other memory layouts: a result that exceeds its bound only then ignores strides.

    Errors that any layout shows are not repeated.
    """
    found = []
    for layout in ("reversed", "strided", "transposed"):
        lay = LAYOUTS[layout]
        outcome, violations = run.checked([x if x is None else lay(x) for x in inputs], lay(upstream))
        if outcome["y"].shape != upstream.shape:
            violations.append(f"y has shape {outcome['y'].shape}")
        else:
            violations += [
                str(quantity)
                for quantity in scale.judged(outcome)
                if not quantity.agrees and quantity.name not in wrong
            ]
        found += [f"with {layout} inputs: {violation}" for violation in violations]
    return found


def _varied_violations(
    subject: Callable[..., Any] | Layer,
    reference: Callable[..., Any],
    inputs: Sequence[ndarray | None],
    settings: _Settings,
    seed: int,
    rule: Rule,
    upstream: ndarray,
) -> list[str]:
    """If an array holds only zeros and ones, run both sides with other values that both accept."""
    hidden = [i > 0 and hides(array) for i, array in enumerate(inputs)]
    movable = _hiding(subject) if isinstance(subject, Layer) else []
    if not movable and not any(hidden):
        return []
    for way in range(len(WAYS)):
        generator = np.random.default_rng([seed, 2])
        other = copy.deepcopy(subject) if movable else subject
        for array in _hiding(other) if isinstance(other, Layer) else []:
            array[...] = varied(array, generator, way)
        moved = [
            varied(array, generator, way) if hide and array is not None else array
            for array, hide in zip(inputs, hidden, strict=True)
        ]
        try:
            theirs = Reference(reference, other, moved, *settings)
            outcome, violations = Run(other, theirs, seed, settings[2]).checked(moved, upstream)
            if outcome["y"].shape != upstream.shape:
                return [f"with other values than 0 and 1: y has shape {outcome['y'].shape}"]
            judged = Scale(theirs, moved, upstream, tuple(outcome), rule).judged(outcome)
        except (ArithmeticError, ValueError, RuntimeError):  # values that one of them does not take
            continue
        violations += [str(quantity) for quantity in judged if not quantity.agrees]
        return [f"with other values than 0 and 1: {violation}" for violation in violations]
    return []


def _hiding(layer: Layer) -> list[ndarray]:
    """Return the parameters that are not frozen, and the statistics, that hold zeros and ones alone."""
    learnt = [array for name, array in layer.parameters.items() if name not in layer.frozen_parameters]
    return [array for array in (*learnt, *layer.buffers.values()) if hides(array)]


def _check_arguments(
    subject: Any,
    reference: Any,
    options: Any,
    rule: Any,
    training: Any,
    names: Any,
    layouts: Any,
    vary: Any,
    explain: Any,
) -> Callable[..., Any]:
    """Require what the docstring says; return the reference."""
    forward = getattr(subject, "forward", subject)
    check.function("compare", "subject", forward, "an operation, a layer, a model or a loss")
    if reference is None and isinstance(subject, Layer):
        reference = to_torch(subject)
    check.function("compare", "reference", reference, "a function or a module of PyTorch")
    for name, value in (("options", options), ("names", names)):
        if value is not None:
            check.mapping("compare", name, value, "a dict")
    check.instance("compare", "rule", rule, Rule, "one of the rules of ptref.bounds")
    for name, value in (("training", training), ("layouts", layouts), ("vary", vary), ("explain", explain)):
        check.flag("compare", name, value)
    return cast("Callable[..., Any]", reference)


def _places(state: Any, count: int) -> tuple[int, ...]:
    if not isinstance(state, tuple | list):
        raise InputError(f"compare: state must be a tuple of positions, got {check.described(state)}")
    return tuple(check.integer("compare", "state", place, least=0, most=count - 1) for place in state)


def _shape_violations(outcome: Outcome, truth: Mapping[str, Tensor]) -> list[str]:
    wrong = [
        f"{name} has shape {outcome[name].shape}, PyTorch's has {tuple(value.shape)}"
        for name, value in truth.items()
        if outcome[name].shape != tuple(value.shape)
    ]
    return wrong + [f"{name} has no counterpart in the reference" for name in outcome if name not in truth]


def check_device(device: str) -> None:
    """Require a device that is there."""
    if not isinstance(device, str) or device not in ("cpu", "cuda"):
        raise InputError(f"compare: device must be 'cpu' or 'cuda', got {check.described(device)}")
    if device == "cuda" and not has_gpu():
        raise MissingError(
            f"compare: device 'cuda' needs a GPU, but PyTorch {torch.__version__} {why_no_gpu()}"
        )


def _name(subject: Any) -> str:
    if isinstance(subject, Layer | torch.nn.Module):
        return type(subject).__name__
    return str(getattr(subject, "__name__", None) or type(subject).__name__)


def _upstream(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype, *, whole: bool) -> ndarray:
    """Draw an upstream gradient, laid out in memory in some way; whole numbers add up without rounding."""
    drawn = rng.integers(1, 1000, shape) * rng.choice((-1, 1), shape) if whole else rng.standard_normal(shape)
    layout = LAYOUTS[list(LAYOUTS)[rng.integers(len(LAYOUTS))]]
    return layout(np.asarray(drawn, dtype))
