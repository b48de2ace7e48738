"""Engines by name: ``numpy``, and those that other packages announce.

An `Engine` trains one model. A `Backend` makes engines: it is the library that computes, with its devices and
its options. A package announces a backend by an entry point of the group ``npnet.engines``, whose name is the
one that ``npnet train --engine`` takes::

    [project.entry-points."npnet.engines"]
    torch = "ptref.backend:backend"

`names` lists the engines and `get` gives one. Nothing else in npnet knows which there are.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, ClassVar

from npnet import check, nn, optim, parallel
from npnet._announced import announced, load
from npnet._limits import MOST_THREADS
from npnet.errors import InputError
from npnet.train import Engine, NumPyEngine, ScheduleEvery

__all__ = ["Backend", "EngineOption", "EngineSettings", "Spec", "chosen", "get", "names", "plan"]

GROUP = "npnet.engines"
NUMPY, BOTH = "numpy", "both"


class Spec:
    """A class by its name, with its settings: ``Spec("SGD", lr=0.1)``, of which any engine makes its own.

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
            If there is none, or it does not take the settings.
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


@dataclass(frozen=True)
class EngineOption:
    """An option of one backend, which ``npnet train`` offers as ``--name``.

    Parameters
    ----------
    name : str
        With underscores where the command line has hyphens.
    help : str
        What it does, in a sentence.
    choices : tuple of str
        The values it takes; without any it is a switch, on or off.

    Raises
    ------
    InputError
        If an argument has the wrong type or value.
    """

    name: str
    help: str
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("name", "help"):
            check.instance("EngineOption", name, getattr(self, name), str, "text")
        if not self.name.isidentifier():
            raise InputError(f"EngineOption: name must be a name such as 'amp', got {self.name!r:.60}")
        if not isinstance(self.choices, tuple) or not all(isinstance(each, str) for each in self.choices):
            raise InputError(
                f"EngineOption: choices must be a tuple of str, got {check.described(self.choices)}"
            )

    def checked(self, value: Any) -> Any:
        """Return a value that the option takes.

        Raises
        ------
        InputError
            If it does not take this one.
        """
        if not self.choices:
            return check.flag("engine", self.name, value)
        return check.choice("engine", self.name, value, self.choices)


@dataclass(frozen=True)
class EngineSettings:
    """How an engine is to compute.

    Parameters
    ----------
    device : str
        One of its backend's devices.
    threads : int, optional
        All cores if not given.
    options : mapping
        Values of the backend's own options, by name; those that are left out have not been asked for.

    Raises
    ------
    InputError
        If an argument has the wrong type or value.
    """

    device: str = "cpu"
    threads: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check.instance("EngineSettings", "device", self.device, str, "the name of a device, such as 'cpu'")
        if self.threads is not None:
            check.integer("EngineSettings", "threads", self.threads, least=1, most=MOST_THREADS)
        if not isinstance(self.options, Mapping):
            raise InputError(
                f"EngineSettings: options must be a mapping, got {check.described(self.options)}"
            )


class Backend(ABC):
    """A library that trains models; it makes an `Engine` for each.

    Attributes
    ----------
    title : str
        What it is called where people read it.
    devices : tuple of str
        Where it computes; the first is the one it takes unless asked for another.
    options : tuple of EngineOption
        What else can be asked of it.
    is_reference : bool
        Whether npnet is checked against it: "both" means npnet's own engine and this one, however many others
        there are.
    """

    title: ClassVar[str]
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    options: ClassVar[tuple[EngineOption, ...]] = ()
    is_reference: ClassVar[bool] = False

    def check(self, settings: EngineSettings) -> None:
        """Require what is asked for to be there: the library, the device, the options.

        Raises
        ------
        InputError
            If something is not.
        """
        check.instance(self.title, "settings", settings, EngineSettings, "npnet.engines.EngineSettings")
        check.choice(self.title, "device", settings.device, self.devices)
        known = {option.name: option for option in self.options}
        for name, value in settings.options.items():
            check.choice(self.title, "option", name, list(known))
            known[name].checked(value)

    @abstractmethod
    def engine(
        self,
        model: nn.Layer,
        loss: Spec,
        optimizer: Spec,
        schedule: Spec | None,
        settings: EngineSettings,
        schedule_every: ScheduleEvery = "epoch",
    ) -> AbstractContextManager[Engine]:
        """Give an engine that starts from the model's weights; at the end the model has what was learnt.

        The schedule steps after each epoch, or after each update of the weights. A backend that leaves out
        `schedule_every` trains whatever needs it after each epoch alone.
        """

    def versions(self) -> dict[str, str]:
        """Return the versions of the libraries that its numbers depend on, beside NumPy's."""
        return {}

    def extension(self, recipe: str) -> Callable[..., Any] | None:
        """Return what this backend alone can add to a recipe, such as pretrained networks; None if nothing.

        Parameters
        ----------
        recipe : str
            The recipe's name. The recipe says how it calls what is returned.
        """
        return None


class NumPyBackend(Backend):
    """npnet itself."""

    title = "npnet"

    @contextmanager
    def engine(
        self,
        model: nn.Layer,
        loss: Spec,
        optimizer: Spec,
        schedule: Spec | None,
        settings: EngineSettings,
        schedule_every: ScheduleEvery = "epoch",
    ) -> Iterator[Engine]:
        """Give npnet's engine, over as many threads as are asked for."""
        moved = optimizer.make(optim, model.parameters)
        planned = None if schedule is None else schedule.make(optim, moved)
        with parallel.Step(settings.threads) as step:
            yield NumPyEngine(model, loss.make(nn), moved, planned, step, schedule_every)


_numpy = NumPyBackend()


def names() -> list[str]:
    """Return the names of all engines: npnet's own first, then those that are announced.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> names()[0]
    'numpy'
    """
    return [NUMPY, *(name for name in announced(GROUP) if name != NUMPY)]


def get(name: str) -> Backend:
    """Return the backend of a name.

    Parameters
    ----------
    name : str
        As `names` lists it.

    Returns
    -------
    backend : Backend

    Raises
    ------
    InputError
        If there is none, or what is announced is no backend.

    Examples
    --------
    >>> get("numpy").title
    'npnet'
    """
    check.instance("engines.get", "name", name, str, "the name of an engine")
    if name == NUMPY:
        return _numpy
    points = announced(GROUP)
    if name not in points:
        raise InputError(_unknown("name", name, [NUMPY, *points]))
    backend = load(points[name])
    if not isinstance(backend, Backend):
        raise InputError(
            f"engines.get: {name} must be a Backend of npnet.engines, got {check.described(backend)}"
        )
    return backend


def chosen(engine: str) -> tuple[str, ...]:
    """Return the engines that are asked for.

    Parameters
    ----------
    engine : str
        A name; several, with commas between them; or "both": npnet's own and the only other one,
        or of several others the reference.

    Returns
    -------
    names : tuple of str

    Raises
    ------
    InputError
        If there is no engine of a name, or it is not clear which is meant by "both".

    Examples
    --------
    >>> chosen("numpy")
    ('numpy',)
    """
    check.instance("engines.chosen", "engine", engine, str, "the name of an engine")
    known = names()
    if engine == BOTH:
        return NUMPY, _other(known)
    wanted = engine.split(",")
    if not all(wanted):
        raise InputError(f"engine must be one name, or names with one comma between two, got {engine!r:.60}")
    for name in wanted:
        if name not in known:
            raise InputError(_unknown("engine", name, known))
    return tuple(dict.fromkeys(wanted))


def _other(known: list[str]) -> str:
    """Return the engine that "both" means beside npnet's own: the only other one, or the reference."""
    others = [name for name in known if name != NUMPY]
    if len(others) > 1:
        with_reference = [name for name in others if _is_reference(name)]
        others = with_reference or others
    if len(others) == 1:
        return others[0]
    how = (
        f"name those that are meant, such as {NUMPY},{others[0]}"
        if others
        else "another is known once the package that announces it is installed"
    )
    raise InputError(f"engine both needs two engines to be there, but there are: {', '.join(known)}; {how}")


def _is_reference(name: str) -> bool:
    with suppress(InputError):  # of a package that is broken
        return get(name).is_reference
    return False


def plan(
    engine: str,
    device: str | None = None,
    threads: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, EngineSettings]:
    """Return how each engine that is asked for is to compute; nothing is loaded or looked for yet.

    Parameters
    ----------
    engine : str
        As `chosen` takes it.
    device : str, optional
        For the engines that have it. The others take the first of their own, as all do if none is given.
    threads : int, optional
        All cores if not given.
    options : mapping, optional
        Values of options that engines have of their own, by name; each goes to the engines that have it.

    Returns
    -------
    settings : dict from names of engines to EngineSettings

    Raises
    ------
    InputError
        If no engine that is asked for has the device, or an option.

    Examples
    --------
    >>> plan("numpy", threads=2)
    {'numpy': EngineSettings(device='cpu', threads=2, options={})}
    """
    options = {} if options is None else options
    EngineSettings("" if device is None else device, threads, options)  # checks the kinds of all three
    backends = {name: get(name) for name in chosen(engine)}
    if device is not None and not any(device in backend.devices for backend in backends.values()):
        devices = dict.fromkeys(each for backend in backends.values() for each in backend.devices)
        having = [name for name in names() if device in get(name).devices]
        instead = f"; engine {' or '.join(having)} has it" if having else ""
        raise InputError(f"device must be {' or '.join(devices)} with engine {engine}, got {device}{instead}")
    for name, value in options.items():
        _option(engine, backends, name).checked(value)
    settings = {}
    for each, backend in backends.items():
        own = {name: value for name, value in options.items() if name in [o.name for o in backend.options]}
        place = device if device in backend.devices else backend.devices[0]
        settings[each] = EngineSettings(place, threads, own)
    return settings


def _option(engine: str, backends: Mapping[str, Backend], name: str) -> EngineOption:
    """Return the option of a name that one of the backends has."""
    for backend in backends.values():
        for option in backend.options:
            if option.name == name:
                return option
    raise InputError(f"options: engine {engine} has no option {name!r:.60}")


def _unknown(argument: str, name: str, known: list[str]) -> str:
    """Say that there is no engine of a name, and how there could be."""
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    listed = ", ".join([*known, BOTH] if len(known) > 1 else known)
    how = meant or "; an engine is known once the package that announces it is installed"
    return f"{argument} must be one of {listed}, got {name!r:.60}{how}"
