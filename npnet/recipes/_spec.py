"""What running a recipe takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

from npnet import check, engines
from npnet._limits import MOST, MOST_THREADS, SEEDS
from npnet.engines import EngineSettings
from npnet.errors import InputError

Report = Callable[[str], None]
# What using a data set for the first time downloads; "" nothing, None: whoever wants it has to fetch it.
DOWNLOADS = {"digits": "", "mnist": "11 MB", "cifar10": "170 MB", "cifar100": "169 MB", "signs": None}
LOSS_LABELS = {
    "CrossEntropyLoss": "cross-entropy (nats)",
    "NLLLoss": "negative log-likelihood (nats)",
    "MSELoss": "mean squared error",
    "BCELoss": "binary cross-entropy (nats)",
    "BCEWithLogitsLoss": "binary cross-entropy (nats)",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What whoever runs a recipe asks for; None leaves what the recipe says.

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
        Where engines compute that have it; the others compute where they do by themselves.
    threads : int, optional
        All cores if not given.
    engine_options : mapping
        Values of options that engines have of their own, by name.

    Raises
    ------
    InputError
        If a value is of another kind or out of range.
    """

    seed: int = 0
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    data: str | PathLike[str] | None = None
    quick: bool = False
    progress: bool = True
    engine: str = "numpy"
    device: str | None = None
    threads: int | None = None
    engine_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        most = {"epochs": MOST, "batch_size": MOST, "threads": MOST_THREADS}
        become(self, seed=check.integer("Options", "seed", self.seed, least=0, most=SEEDS - 1))
        for name, largest in most.items():
            value = getattr(self, name)
            if value is not None:
                become(self, **{name: check.integer("Options", name, value, least=1, most=largest)})
        if self.lr is not None:
            become(self, lr=check.number("Options", "lr", self.lr, above=0.0))
        if self.data is not None:
            become(self, data=check.path("Options", "data", self.data))
        for name in ("quick", "progress"):
            become(self, **{name: check.flag("Options", name, getattr(self, name))})
        if not isinstance(self.engine_options, Mapping):
            raise InputError(
                f"Options: engine_options must be a mapping, got {check.described(self.engine_options)}"
            )
        engines.plan(self.engine, self.device, self.threads, self.engine_options)

    @property
    def engines(self) -> tuple[str, ...]:
        """The names of the engines that are asked for, one after another."""
        return engines.chosen(self.engine)

    def settings(self) -> EngineSettings:
        """Return how the one engine that is asked for is to compute."""
        (settings,) = engines.plan(self.engine, self.device, self.threads, self.engine_options).values()
        return settings

    def for_engine(self, engine: str) -> Options:
        """Return the same for one of the engines alone."""
        plan = engines.plan(self.engine, self.device, self.threads, self.engine_options)[engine]
        return replace(self, engine=engine, device=plan.device, engine_options=plan.options)

    @property
    def as_written(self) -> bool:
        """Whether the recipe runs with its own settings."""
        return not self.quick and (self.epochs, self.batch_size, self.lr) == (None, None, None)

    def asked_for(self) -> list[str]:
        """Return the names of the options that are not what they are by themselves."""
        asked = (each.name for each in fields(self) if getattr(self, each.name) != each.default)
        return [name for name in asked if name != "engine_options" or self.engine_options]


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Parameters
    ----------
    status : str
        "finished" or "interrupted".
    headline : str
        The one line that says what came out.
    folder : path
        What the run left.
    figures : tuple of paths
        The pictures among it.
    values : mapping
        What ``result.json`` holds besides.

    Raises
    ------
    InputError
        If an argument is none of this.
    """

    status: str
    headline: str
    folder: Path
    figures: tuple[Path, ...]
    values: Mapping[str, Any]

    def __post_init__(self) -> None:
        check.choice("Result", "status", self.status, ["finished", "interrupted"])
        check.instance("Result", "headline", self.headline, str, "text")
        become(self, folder=check.path("Result", "folder", self.folder))
        if not isinstance(self.figures, tuple | list):
            raise InputError(f"Result: figures must be a tuple of paths, got {check.described(self.figures)}")
        become(self, figures=tuple(check.path("Result", "figures", figure) for figure in self.figures))
        if not isinstance(self.values, Mapping):
            raise InputError(f"Result: values must be a mapping, got {check.described(self.values)}")


def become(frozen: object, **values: Any) -> None:
    """Put checked values into a dataclass that is frozen, while it is made."""
    for name, value in values.items():
        object.__setattr__(frozen, name, value)


def told(headlines: Mapping[str, str]) -> str:
    """Return the headlines of one engine or of several as one line.

    Examples
    --------
    >>> told({"npnet": "accuracy: 90.0 %"})
    'accuracy: 90.0 %'
    >>> told({"npnet": "accuracy: 90.0 %", "PyTorch": "accuracy: 90.1 %"})
    'npnet: accuracy: 90.0 %; PyTorch: accuracy: 90.1 %'
    >>> told({"npnet": "accuracy: 90.0 %", "PyTorch": "accuracy: 90.0 %"})
    'npnet and PyTorch: accuracy: 90.0 %'
    """
    if len(set(headlines.values())) == 1:
        (line,) = set(headlines.values())
        return line if len(headlines) == 1 else f"{' and '.join(headlines)}: {line}"
    return "; ".join(f"{engine}: {headline}" for engine, headline in headlines.items())
