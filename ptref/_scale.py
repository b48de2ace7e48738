"""Truth and bounds of one comparison."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ptref._reference import Reference, tensor, without_tf32
from ptref._subject import Outcome
from ptref.bounds import Bound, Evaluation, Rule
from ptref.report import Quantity, distance, judge


class Scale:
    """Truth and bounds of one comparison, against which any outcome can be judged."""

    def __init__(
        self,
        theirs: Reference,
        inputs: Sequence[ndarray | None],
        upstream: ndarray,
        wanted: Sequence[str],
        rule: Rule,
    ) -> None:
        self.theirs, self.wanted, self.rule = theirs, wanted, rule
        self.inputs, self.upstream = theirs.tensors(inputs), tensor(upstream)
        self.truth = theirs.evaluate(self.inputs, self.upstream, wanted)
        information = np.finfo(theirs.dtype)
        sizes = [x.numel() for x in self.inputs if x is not None]
        self.evaluation = Evaluation(
            run=lambda tensors, grad_y: theirs.evaluate(tensors, grad_y, wanted),
            inputs=self.inputs,
            options=theirs.options,
            upstream=self.upstream,
            truth=self.truth,
            single_error=self._single_error,
            largest_array=max([0, *sizes, *(array.size for array in theirs.layer_state.values())]),
            unit=float(information.eps) / 2,
        )

    @cached_property
    def bounds(self) -> dict[str, Bound]:
        """How far each array may be from the truth."""
        return self.rule.bounds(self.evaluation)

    @cached_property
    def single(self) -> dict[str, Tensor]:
        """What PyTorch computes in float32."""
        return self.theirs.evaluate(self.inputs, self.upstream, self.wanted, torch.float32)

    def _single_error(self, name: str) -> float:
        errors = (self.single[name] - self.truth[name]).abs()
        finite = errors[torch.isfinite(errors)]
        return float(finite.max()) / 2.0**-24 if finite.numel() else 0.0

    def judged(self, outcome: Outcome) -> tuple[Quantity, ...]:
        """Judge the arrays of an outcome that have their truth's shape."""
        return tuple(
            judge(
                name,
                outcome[name],
                self._other(name),
                truth.numpy(),
                self._bound(name),
                over_torch=self.theirs.dtype == np.float32,
            )
            for name, truth in self.truth.items()
            if outcome[name].shape == tuple(truth.shape)
        )

    def judged_on(self, device: str) -> tuple[Quantity, ...]:
        """Judge PyTorch on another device; its own order of sums is covered by a tensor-scale term."""
        dtype = torch.float32 if self.theirs.dtype == np.float32 else torch.float64
        with without_tf32():
            outcome = self.theirs.evaluate(self.inputs, self.upstream, self.wanted, dtype, device)
        return tuple(
            judge(
                f"{name} ({device})",
                outcome[name].numpy().astype(self.theirs.dtype),
                self._other(name),
                truth.numpy(),
                np.full_like(self._bound(name), self._bound(name).max(initial=0)),
                over_torch=False,
            )
            for name, truth in self.truth.items()
        )

    def refuted(self, outcome: Outcome) -> dict[str, ndarray]:
        """Return where each wrong gradient is wrong: everywhere, if its shape is."""
        found = {}
        for name, truth in self.truth.items():
            if not name.startswith("grad_") or name not in outcome:
                continue
            value, right = outcome[name], truth.numpy()
            if value.shape != right.shape:
                found[name] = np.ones(value.shape, bool)
                continue
            wrong = distance(value, right) > self._bound(name)
            if wrong.any():
                found[name] = wrong
        return found

    def _other(self, name: str) -> ndarray:
        """Return what PyTorch on the CPU computes in the dtype of the inputs."""
        computed = self.single if self.theirs.dtype == np.float32 else self.truth
        return computed[name].numpy().astype(self.theirs.dtype)

    def _bound(self, name: str) -> ndarray:
        largest = float(self.upstream.abs().max()) if self.upstream.numel() else 0.0
        return self.bounds[name].of(self.theirs.dtype, tuple(self.truth[name].shape), largest)
