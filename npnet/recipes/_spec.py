"""What a recipe is written with, and what running one takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

Report = Callable[[str], None]
MODEL_BESIDE = "model-pytorch.safetensors"  # the weights of the second engine, where two were trained
ENGINES = {"numpy": "npnet", "torch": "PyTorch"}  # what each is called where people read it
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
        self.kind, self.settings = kind, settings

    def make(self, module: ModuleType, *arguments: Any) -> Any:
        """Call the class of this name in `module`."""
        return getattr(module, self.kind)(*arguments, **self.settings)

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
    """

    seed: int = 0
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    data: Path | None = None
    quick: bool = False
    progress: bool = True
    engine: str = "numpy"
    device: str = "cpu"
    threads: int | None = None

    @property
    def as_written(self) -> bool:
        """Whether the recipe runs with its own settings."""
        return not self.quick and (self.epochs, self.batch_size, self.lr) == (None, None, None)


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
    """

    status: str
    headline: str
    folder: Path
    figures: tuple[Path, ...]
    values: Mapping[str, Any]


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
