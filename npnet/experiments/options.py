"""The options of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from typing import Any

from npnet import check, engines
from npnet._limits import MOST, MOST_THREADS, SEEDS
from npnet.engines import EngineSettings
from npnet.errors import InputError

TRAINING = ("quick", "epochs", "batch_size", "lr", "seed", "engine", "device", "threads", "diagnose")
ORDER = (
    "only",
    "sizes",
    "quick",
    "epochs",
    "batch_size",
    "lr",
    "seed",
    "data",
    "engine",
    "device",
    "threads",
    "diagnose",
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a run; None keeps the experiment's own setting.

    Parameters
    ----------
    seed : int
        Of everything drawn at random.
    epochs, batch_size : int, optional
    lr : float, optional
    data : path, optional
        The folder data sets are looked for in.
    quick : bool
        Whether the run is cut short, to see that everything works.
    progress : bool
        Whether a bar is shown.
    engine : str
        The name of an engine; several, with commas between them; or "both". See `npnet.engines`.
    device : str, optional
        For the engines that have it. The others compute where they do by themselves.
    threads : int, optional
        All cores if not given.
    diagnose : bool
        Whether gradients, updates and dead units are recorded, drawn and judged.
    engine_options : mapping
        Values of options that engines have of their own, by name.

    Raises
    ------
    InputError
        If a value is of another kind or out of range, or no engine asked for has a device or an option.
    """

    seed: int = 0
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    data: str | PathLike[str] | None = None
    quick: bool = False
    progress: bool = True
    engine: str = engines.NUMPY
    device: str | None = None
    threads: int | None = None
    diagnose: bool = False
    engine_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        most = {"epochs": MOST, "batch_size": MOST, "threads": MOST_THREADS}
        set_fields(self, seed=check.integer("Options", "seed", self.seed, least=0, most=SEEDS - 1))
        for name, largest in most.items():
            value = getattr(self, name)
            if value is not None:
                set_fields(self, **{name: check.integer("Options", name, value, least=1, most=largest)})
        if self.lr is not None:
            set_fields(self, lr=check.number("Options", "lr", self.lr, above=0.0))
        if self.data is not None:
            set_fields(self, data=check.path("Options", "data", self.data))
        for name in ("quick", "progress", "diagnose"):
            set_fields(self, **{name: check.flag("Options", name, getattr(self, name))})
        if not isinstance(self.engine_options, Mapping):
            raise InputError(
                f"Options: engine_options must be a mapping, got {check.described(self.engine_options)}"
            )
        self.engines()

    def engines(self) -> dict[str, EngineSettings]:
        """Return the engines that are asked for by name, and how each is to compute."""
        return engines.plan(self.engine, self.device, self.threads, self.engine_options)

    def for_engine(self, name: str) -> Options:
        """Return the same for one of the engines alone."""
        settings = self.engines()[name]
        return replace(self, engine=name, device=settings.device, engine_options=settings.options)

    @property
    def as_written(self) -> bool:
        """Whether the experiment runs with its own settings."""
        return not self.quick and (self.epochs, self.batch_size, self.lr) == (None, None, None)

    def changed(self) -> list[str]:
        """Return the names of the options that differ from their defaults and bear on what is computed."""
        asked = (each.name for each in fields(self) if getattr(self, each.name) not in (each.default, {}))
        return [name for name in asked if name != "progress"]


def set_fields(frozen: object, **values: Any) -> None:
    """Put checked values into a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(frozen, name, value)
