"""Where two engines part: one training step of a model, beside the same step of a reference."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, cast

import numpy as np
from numpy import ndarray

from npnet import check
from npnet.errors import InputError
from npnet.gradcheck._divergence import (
    Divergence,
    first_divergence,
    first_wrong_gradient,
    paired,
    row,
    wrong_gradients,
)
from npnet.gradcheck.explanation import Explanation
from npnet.gradcheck.steps import Minibatch, Recorder, StepRecord, record_step
from npnet.nn.layer import Layer
from npnet.nn.losses import Loss
from npnet.nn.step import check_loss, check_model
from npnet.table import html_table, table

ALONE = "the gradients given"
GROUP = "npnet.references"  # of entry points
COLUMNS = ("operation", "y", "grad_x", "gradients of parameters")
REFERENCES = "a model of npnet, a dict of gradients, or a module of an engine such as PyTorch"


@dataclass(frozen=True, repr=False)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    model, reference : str
        What was compared.
    divergence : Divergence or None
        The first operation at which the two part; None where they agree, or where there is a reference of
        gradients alone.
    explanations : tuple of Explanation
        What is wrong with each gradient of x and of the parameters that differs.
    rows : tuple of tuples
        For each operation, how far its output and its gradients are off, relative to the largest value.
    losses : pair of float or None
    """

    model: str
    reference: str
    divergence: Divergence | None
    explanations: tuple[Explanation, ...]
    rows: tuple[tuple[str, ...], ...]
    losses: tuple[float | None, float | None] = (None, None)

    @property
    def agrees(self) -> bool:
        """Whether nothing differs by more than rounding."""
        return self.divergence is None and not self.explanations

    @property
    def reason(self) -> str:
        """What differs first, in a line; empty where nothing does."""
        first = self.divergence
        if first is not None:
            return f"they part {first.direction} at {first.operation}: {first.reason}"
        return "; ".join(f"gradient of {each.name}: {each.sentence}" for each in self.explanations)

    @property
    def first_explanation(self) -> Explanation | None:
        """What is wrong with the first wrong gradient, for `npnet.plot.wrong_gradient`; None without one."""
        found = (self.divergence.explanations if self.divergence is not None else ()) or self.explanations
        return found[0] if found else None

    @property
    def _title(self) -> str:
        return f"{self.model} {'agrees with' if self.agrees else 'DIFFERS from'} {self.reference}"

    def _lines(self) -> list[str]:
        lines = [self.reason] if self.reason else []
        shown = self.divergence.explanations if self.divergence is not None else self.explanations
        lines += [line for each in shown for line in str(each).splitlines()[1:]]
        first, second = self.losses
        if first is not None and second is not None:
            lines.append(f"loss {first:.6g}, reference {second:.6g}")
        return lines

    def __repr__(self) -> str:
        reason = f"; {self.reason}" if self.reason else ""
        return f"<Comparison: {self._title}{reason}>"

    def _repr_html_(self) -> str:
        """Return the table of operations for a notebook."""
        lines = "\n".join(self._lines())
        return html_table(COLUMNS, self.rows, title=self._title) + (
            f"<pre>{escape(lines)}</pre>" if lines else ""
        )

    def __str__(self) -> str:
        drawn = [table(COLUMNS, self.rows)] if self.rows else []
        return "\n".join([self._title, *self._lines(), *drawn])


def compare(
    model: Layer | Mapping[str, ndarray],
    reference: object,
    x: ndarray | None = None,
    target: ndarray | None = None,
    *,
    loss: Loss | None = None,
    training: bool = True,
    seed: int = 0,
    rtol: float | None = None,
) -> Comparison:
    """Take one step with a model and with a reference, and say where the two part first.

    Outputs are compared from the first operation to the last, gradients from the last to the first. All that
    an operation was given agrees when its result is the first to differ, so the mistake is there.

    Parameters
    ----------
    model : Layer, or dict from names to arrays
        What is doubted; or its gradients alone, by name.
    reference : Layer, dict from names to arrays, or module of another engine
        What is right. A model of npnet or a module of PyTorch takes on the parameters of the model, in a
        copy. A dict holds gradients, by the names of the parameters, and "x" for that of the minibatch.
    x : array, optional
        A minibatch; not needed for two dicts.
    target : array, optional
        What the loss compares with.
    loss : Loss, optional
        Without one, both are given the same random upstream gradient.
    training : bool
        The mode of both.
    seed : int
        Of the upstream gradient and of the model's randomness.
    rtol : float, optional
        How far two values may be apart, relative to the largest of their array; without it 1e-4 in float32
        and 1e-9 in float64.

    Returns
    -------
    comparison : Comparison

    Raises
    ------
    InputError
        If an argument is not what it must be, or the parameters or outputs of the two do not fit together.
    DTypeError
        If x is not an array of floating-point numbers.

    Examples
    --------
    >>> from npnet import nn
    >>> class BadTanh(nn.Tanh):
    ...     def apply(self, x, *, training, generator):
    ...         y, backward = super().apply(x, training=training, generator=generator)
    ...         return y, lambda grad_y: -backward(grad_y)
    >>> rng = np.random.default_rng(0)
    >>> model = nn.Sequential(nn.Linear(3, 4, generator=rng), BadTanh(), nn.Linear(4, 2, generator=rng))
    >>> right = nn.Sequential(nn.Linear(3, 4, generator=rng), nn.Tanh(), nn.Linear(4, 2, generator=rng))
    >>> x = rng.standard_normal((5, 3)).astype(np.float32)
    >>> print(compare(model, right, x).reason)
    they part backward at '1' BadTanh: gradient of x: it has the wrong sign
    """
    training = check.flag("compare", "training", training)
    seed = check.integer("compare", "seed", seed, least=0)
    if rtol is not None:
        rtol = check.number("compare", "rtol", rtol, above=0.0, below=1.0)
    if isinstance(model, Mapping):
        grads = _gradients("model", model)
        if not isinstance(reference, Mapping):
            got = check.described(reference)
            raise InputError(f"compare: reference must be a dict of gradients as model is, got {got}")
        right = _gradients("reference", reference)
        _check_fits(grads, right)
        return Comparison("the dict of gradients", ALONE, None, wrong_gradients(grads, right, rtol), ())
    check_model("compare", model)
    batch = _minibatch(model, x, target, loss, training=training, seed=seed)
    name, ours = type(model).__name__, record_step(model, batch)
    if isinstance(reference, Mapping):
        right = _gradients("reference", reference)
        _check_fits(ours.grads, right)
        return Comparison(name, ALONE, first_wrong_gradient(ours, right, rtol), (), ())
    theirs = _record_reference(reference, model, batch)
    pairs = paired(ours, theirs)
    divergence = first_divergence(pairs, ours, theirs, rtol)
    explanations = () if divergence is not None else wrong_gradients(ours.grads, theirs.grads, rtol)
    shown = f"{type(reference).__name__} ({theirs.engine})"
    rows = tuple(row(*pair) for pair in pairs)
    return Comparison(name, shown, divergence, explanations, rows, (ours.loss, theirs.loss))


# ---- what is compared --------------------------------------------------------------------------------------


def _minibatch(model: Layer, x: Any, target: Any, loss: Any, *, training: bool, seed: int) -> Minibatch:
    """Require a minibatch that fits, and draw an upstream gradient where there is no loss."""
    check.array("compare", "x", x, "f")
    if loss is not None:
        check_loss("compare", loss)
        check.array("compare", "target", target)
        return Minibatch(x, target, loss, None, training, seed)
    if target is not None:
        raise InputError("compare: target must come with a loss, got it without")
    generator = np.random.default_rng(seed)
    y, _ = copy.deepcopy(model).forward(x, training=training, generator=generator)
    upstream = np.asarray(np.random.default_rng(seed).standard_normal(y.shape), y.dtype)
    return Minibatch(x, None, None, upstream, training, seed)


def _gradients(name: str, value: Mapping[Any, Any]) -> dict[str, ndarray]:
    """Require a dict of arrays by name."""
    for key, array in value.items():
        if not isinstance(key, str):
            raise InputError(f"compare: {name} must be a dict from names to arrays, got the key {key!r:.40}")
        check.array("compare", name, array, "f")
    if not value:
        raise InputError(f"compare: {name} must hold a gradient or more, got an empty dict")
    return dict(value)


def _check_fits(ours: Mapping[str, ndarray], theirs: Mapping[str, ndarray]) -> None:
    """Require gradients of the same names; that of x may be left out."""
    unknown = sorted(theirs.keys() - ours.keys())
    missing = sorted(ours.keys() - theirs.keys() - {"x"})
    if unknown or missing:
        raise InputError(
            f"compare: reference must hold the gradients of {', '.join(ours)}; it lacks "
            f"{', '.join(missing) or 'none'}, and has {', '.join(unknown) or 'none'} besides"
        )


def _record_reference(reference: object, model: Layer, batch: Minibatch) -> StepRecord:
    """Take the step with the reference: a model of npnet, or what an engine knows how to run."""
    if isinstance(reference, Layer):
        theirs = copy.deepcopy(reference)
        state = model.state_dict()
        if theirs.state_dict().keys() == state.keys():
            theirs.astype(batch.x.dtype)
            theirs.load_state_dict(state)
        else:
            raise InputError(
                "compare: reference must have parameters of the same names as the model, "
                f"{', '.join(state) or 'none'}, got {', '.join(theirs.state_dict()) or 'none'}"
            )
        return record_step(theirs, batch)
    from npnet._announced import announced, load  # noqa: PLC0415 - slow to load, and seldom needed

    packages = {kind.__module__.partition(".")[0] for kind in type(reference).__mro__}
    for name, point in announced(GROUP).items():
        if name in packages and not isinstance(reference, type):
            return cast("Recorder", load(point))(reference, model, batch)
    raise InputError(f"compare: reference must be {REFERENCES}, got {check.described(reference)}")
