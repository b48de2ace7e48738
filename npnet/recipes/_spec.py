"""What a recipe is written with, and what running one takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

from npnet import check
from npnet._limits import MOST, MOST_THREADS, SEEDS
from npnet.errors import InputError

Report = Callable[[str], None]
MODEL_BESIDE = "model-pytorch.safetensors"  # the weights of the second engine, where two were trained
ENGINES = {"numpy": "npnet", "torch": "PyTorch"}  # what each is called where people read it
# What using a data set for the first time downloads; "" nothing, None: whoever wants it has to fetch it.
DOWNLOADS = {"digits": "", "mnist": "11 MB", "cifar10": "170 MB", "cifar100": "169 MB", "signs": None}
LOSS_LABELS = {
    "CrossEntropyLoss": "cross-entropy (nats)",
    "NLLLoss": "negative log-likelihood (nats)",
    "MSELoss": "mean squared error",
    "BCELoss": "binary cross-entropy (nats)",
    "BCEWithLogitsLoss": "binary cross-entropy (nats)",
}


class Spec:
    """Something named, with its settings: ``Spec("SGD", lr=0.1)``, of which any engine makes its own.

    Parameters
    ----------
    kind : str
        The name of a class, the same in `npnet.optim` and ``torch.optim``, or in `npnet.nn` and ``torch.nn``.
    **settings
        What the class is called with by name.

    Raises
    ------
    InputError
        If the kind is no name.

    Examples
    --------
    >>> import numpy as np
    >>> from npnet import optim
    >>> spec = Spec("SGD", lr=0.1, momentum=0.9)
    >>> spec
    SGD(lr=0.1, momentum=0.9)
    >>> spec.make(optim, {"weight": np.zeros(2)}).momentum
    0.9
    >>> spec.but(lr=0.5)
    SGD(lr=0.5, momentum=0.9)
    """

    def __init__(self, kind: str, **settings: Any) -> None:
        check.instance("Spec", "kind", kind, str, 'the name of a class, such as "SGD"')
        if not kind.isidentifier():
            raise InputError(f"Spec: kind must be the name of a class, such as 'SGD', got {kind!r:.60}")
        self.kind, self.settings = kind, settings

    def make(self, module: ModuleType, *arguments: Any) -> Any:
        """Call the class of this name in `module`.

        Raises
        ------
        InputError
            If there is none, or its settings are not to its liking.
        """
        check.instance("Spec", "module", module, ModuleType, "a module, such as npnet.optim")
        made = getattr(module, self.kind, None)
        if made is None:
            raise InputError(f"Spec: kind must name a class of {module.__name__}, got {self.kind!r}")
        return made(*arguments, **self.settings)

    def but(self, **settings: Any) -> Spec:
        """Return the same with some settings changed."""
        return Spec(self.kind, **{**self.settings, **settings})

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(f'{name}={value!r}' for name, value in self.settings.items())})"


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
        "numpy", "torch", or "both" side by side.
    device : str
        Where PyTorch works: "cpu" or "cuda".
    threads : int, optional
        All cores if not given.

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
    device: str = "cpu"
    threads: int | None = None

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
        check.choice("Options", "engine", self.engine, [*ENGINES, "both"])
        check.choice("Options", "device", self.device, ["cpu", "cuda"])

    @property
    def as_written(self) -> bool:
        """Whether the recipe runs with its own settings."""
        return not self.quick and (self.epochs, self.batch_size, self.lr) == (None, None, None)

    def asked_for(self) -> list[str]:
        """Return the names of the options that are not what they are by themselves."""
        return [each.name for each in fields(self) if getattr(self, each.name) != each.default]


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
