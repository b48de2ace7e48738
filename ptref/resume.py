"""How a PyTorch engine saves its state, goes on from it, and finds NaN and ∞."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler

from npnet.train import AnomalyError, ScheduleEvery
from npnet.train.anomaly import first_not_finite
from npnet.train.engine import scheduled
from ptref.draws import Draws

CHANGING = ("last_epoch", "optimizer")  # attributes of a schedule that are no settings


class Resumable:
    """What `TorchEngine` has of `npnet.train.ResumableEngine` and `npnet.train.CheckingEngine`."""

    module: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    optimizer: Optimizer
    schedule: lr_scheduler.LRScheduler | None
    schedule_every: ScheduleEvery
    device: torch.device
    processes: int
    draws: Draws

    def description(self) -> dict[str, str]:
        """Return module, loss, optimizer and schedule as text; the number of processes may change."""
        arrays = self.module.state_dict()
        shapes = [f"{name}:{tensor.dtype}{list(tensor.shape)}" for name, tensor in arrays.items()]
        frozen = [name for name, tensor in self.module.named_parameters() if not tensor.requires_grad]
        return {
            "engine": "torch",
            "model": repr(self.module),
            "arrays of the model": " ".join(shapes),
            "frozen parameters": " ".join(frozen) or "none",
            "loss": repr(self.loss),
            "optimizer": repr(self.optimizer),
            "schedule": scheduled(
                None if self.schedule is None else _schedule_described(self.schedule), self.schedule_every
            ),
        }

    def weights(self) -> dict[str, ndarray]:
        """Return copies of parameters and buffers, as NumPy arrays."""
        return {name: _copied(tensor) for name, tensor in self.module.state_dict().items()}

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Restore parameters and buffers."""
        self.module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the state of module, optimizer, schedule, and PyTorch's own generators."""
        schedule = None if self.schedule is None else self.schedule.state_dict()
        generators = {"cpu": torch.get_rng_state().numpy().copy()}
        if self.device.type == "cuda":
            generators["cuda"] = torch.cuda.get_rng_state(self.device).numpy().copy()
        return {
            "model": self.weights(),
            "optimizer": _plain(self.optimizer.state_dict()),
            "schedule": _plain(schedule),
            "generators": generators,
            "processes": self.processes,
            "draws": self.draws.seen,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore module, optimizer, schedule and generators.

        Raises
        ------
        InputError
            If another number of processes made it, each of which drew at random by itself.
        """
        self.draws.go_on(seen=state["draws"], processes=state["processes"])
        self.load_weights(state["model"])
        optimizer = _tensors(state["optimizer"])
        own = self.optimizer.state_dict()["param_groups"]
        for group, mine in zip(optimizer["param_groups"], own, strict=True):
            # JSON has no tuples, and the betas of Adam are one.
            group |= {name: tuple(group[name]) for name, value in mine.items() if isinstance(value, tuple)}
        optimizer["state"] = {int(place): kept for place, kept in optimizer["state"].items()}
        self.optimizer.load_state_dict(optimizer)
        # Resumed at an epoch's end, the schedule steps before the optimizer, which PyTorch would warn of.
        vars(self.optimizer)["_opt_called"] = True
        if self.schedule is not None:
            self.schedule.load_state_dict(_tensors(state["schedule"]))
        torch.set_rng_state(torch.from_numpy(state["generators"]["cpu"]))
        if self.device.type == "cuda" and "cuda" in state["generators"]:  # it may have begun on the CPU
            torch.cuda.set_rng_state(torch.from_numpy(state["generators"]["cuda"]), self.device)

    def first_not_finite(self, arrays: Mapping[str, Any]) -> str | None:
        """Say which value is the first that is NaN or ∞, and where."""
        tensors = [each.detach() for each in arrays.values() if isinstance(each, Tensor)]
        if tensors and len(tensors) == len(arrays):  # one answer from the device for all of them
            sums = torch.stack([tensor.sum() for tensor in tensors])
            if bool(torch.isfinite(sums).all()):
                return None
        found = first_not_finite({name: _array_of(each) for name, each in arrays.items()})
        return found and f"'{found[0]}' holds {found[1]}"

    @contextmanager
    def detect_anomalies(self) -> Iterator[None]:
        """Check the outputs of every module, and what autograd computes.

        Raises
        ------
        AnomalyError
            Names the module, or the function of autograd.
        """
        hooks = [
            part.register_forward_hook(_checking(name))
            for name, part in self.module.named_modules()
            if not list(part.children())
        ]
        try:
            with warnings.catch_warnings(action="ignore"), torch.autograd.detect_anomaly(check_nan=True):
                yield
        except RuntimeError as error:
            if "returned nan values" in str(error):
                raise AnomalyError(f"backward: {error}") from None
            raise
        finally:
            for hook in hooks:
                hook.remove()


def _checking(name: str) -> Any:
    def check(module: nn.Module, _inputs: Any, output: Any) -> None:
        found = first_not_finite({"output": _array_of(output)}) if isinstance(output, Tensor) else None
        if found:
            raise AnomalyError(f"forward of module '{name}' {module}: its output holds {found[1]}")

    return check


def _schedule_described(schedule: lr_scheduler.LRScheduler) -> str:
    settings = {
        name: value
        for name, value in sorted(vars(schedule).items())
        if not name.startswith("_") and name not in CHANGING and isinstance(value, int | float | str | list)
    }
    return f"{type(schedule).__name__}({', '.join(f'{name}={value}' for name, value in settings.items())})"


def _plain(state: Any) -> Any:
    """Return a nested state with arrays in the place of tensors, and text for the keys of dicts."""
    if isinstance(state, Tensor):
        return _copied(state)
    if isinstance(state, dict):
        return {str(key): _plain(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [_plain(value) for value in state]
    return state


def _tensors(state: Any) -> Any:
    if isinstance(state, ndarray):
        return torch.from_numpy(np.array(state))
    if isinstance(state, dict):
        return {key: _tensors(value) for key, value in state.items()}
    if isinstance(state, list):
        return [_tensors(value) for value in state]
    return state


def _copied(tensor: Tensor) -> ndarray:
    return np.array(_array_of(tensor))


def _array_of(value: Any) -> ndarray:
    array: ndarray = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    return array
