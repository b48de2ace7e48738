"""PyTorch as npnet knows it: its name, devices and options. PyTorch is loaded when it is used."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import metadata, util
from typing import Any

from npnet.engines import Backend, EngineSettings, Spec
from npnet.errors import MissingError
from npnet.nn import Layer
from npnet.train import Engine, ScheduleEvery
from ptref.options import OPTIONS


class TorchBackend(Backend):
    """PyTorch, on the CPU or on an NVIDIA GPU."""

    title = "PyTorch"
    devices = ("cpu", "cuda")
    options = OPTIONS
    is_reference = True

    def check(self, settings: EngineSettings) -> None:
        """Require PyTorch and the device to be there, and to be able to do what was chosen.

        Raises
        ------
        InputError
            If the device is not, or cannot.
        MissingError
            If PyTorch is not.
        """
        super().check(settings)
        if util.find_spec("torch") is None:
            raise MissingError(
                "engine torch trains with PyTorch, which is not installed: pip install torch torchvision"
            )
        from ptref.device import check_device  # noqa: PLC0415 - PyTorch is loaded when asked for
        from ptref.execution import Execution  # noqa: PLC0415 - as above

        check_device(settings.device)
        Execution(**settings.options).require(settings.device)

    def engine(
        self,
        model: Layer,
        loss: Spec,
        optimizer: Spec,
        schedule: Spec | None,
        settings: EngineSettings,
        schedule_every: ScheduleEvery = "epoch",
    ) -> AbstractContextManager[Engine]:
        """Give an engine of PyTorch that starts where the model stands; see `ptref.engine.engine_for`."""
        from ptref.engine import engine_for  # noqa: PLC0415 - as above
        from ptref.execution import Execution  # noqa: PLC0415 - as above

        return engine_for(
            model,
            loss,
            optimizer,
            schedule,
            device=settings.device,
            threads=settings.threads,
            execution=Execution(**settings.options) if settings.options else None,
            schedule_every=schedule_every,
        )

    def versions(self) -> dict[str, str]:
        """Return PyTorch's version."""
        return {"torch": metadata.version("torch")}

    def extension(self, recipe: str) -> Callable[..., Any] | None:
        """Return what fine-tunes a pretrained ResNet-18, for the recipe ``finetune``."""
        if recipe != "finetune":
            return None
        from ptref.finetune import learn_last_layer  # noqa: PLC0415 - as above

        return learn_last_layer


backend = TorchBackend()
