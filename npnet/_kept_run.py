"""A run that was kept, opened again: what it ran, with which options, and the networks it has weights of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npnet import check, checkpoint, nn, recipes, saved
from npnet.errors import InputError
from npnet.experiments.experiment import Experiment, quoted
from npnet.experiments.options import Options
from npnet.experiments.runner import WEIGHTS
from npnet.experiments.setup import Setup
from npnet.run import MODEL, OPTIONS, RESULT, read_json


@dataclass(frozen=True)
class KeptRun:
    """A run's folder, and what was asked for when it was made.

    Parameters
    ----------
    path : path
    experiment : Experiment
        With those networks and sizes that were chosen.
    options : Options
    """

    path: Path
    experiment: Experiment
    options: Options

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> KeptRun:
        """Open a run's folder.

        Parameters
        ----------
        path : path

        Returns
        -------
        run : KeptRun

        Raises
        ------
        InputError
            If its options are not there or are none.
        """
        path = check.path("KeptRun.open", "path", path)
        asked = read_json(path / OPTIONS)
        try:
            experiment = recipes.get(asked["recipe"])
            experiment = experiment.only(*asked["only"]) if asked["only"] else experiment
            experiment = experiment.with_sizes(*asked["sizes"]) if asked["sizes"] else experiment
            options = Options(**asked["options"])
        except (KeyError, TypeError) as error:
            raise InputError(f"{path / OPTIONS} does not hold the options of a run ({error})") from None
        return cls(path, experiment, options)

    def networks(self) -> list[str]:
        """Return the names of the networks whose weights the run has, the best first where one was chosen."""
        known = [setup.name for setup in self.experiment.setups]
        best = [self._best()] if (self.path / MODEL).exists() else []
        beside = {name.rpartition("/")[0] for name in self._beside()}
        kept = dict.fromkeys([*best, *(name for name in known if name in beside)])
        return [name for name in kept if name in known]

    def network(self, name: str | None = None) -> tuple[Setup, nn.Layer]:
        """Return a network with its weights, and how it was trained.

        Parameters
        ----------
        name : str, optional
            Without one, the best, or the first where none was chosen.

        Returns
        -------
        setup : Setup
        model : Layer

        Raises
        ------
        InputError
            If the run has no weights of it.
        """
        kept = self.networks()
        if not kept:
            raise InputError(f"{self.path} has no weights of a network ({MODEL} or {WEIGHTS})")
        if name is not None:
            self.experiment.setup(name)  # which says of an unknown name what the names are
            if name not in kept:
                raise InputError(
                    f"{self.path} has weights of {', '.join(map(quoted, kept))}, not of {quoted(name)}"
                )
        chosen = kept[0] if name is None else name
        (setup,) = (setup for setup in self.experiment.setups if setup.name == chosen)
        return setup.with_options(self.options), self._model(setup)

    def _model(self, setup: Setup) -> nn.Layer:
        if (self.path / MODEL).exists() and setup.name == self._best():
            return saved.load(self.path / MODEL).model
        model, prefix = setup.model(np.random.default_rng(0)), f"{setup.name}/"
        arrays = self._beside()
        own = {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}
        model.load_state_dict(own)
        return model

    def _best(self) -> str:
        """Return the name of the setup whose network `MODEL` holds."""
        if len(self.experiment.setups) == 1:
            return self.experiment.setups[0].name
        result = read_json(self.path / RESULT)
        return str(result.get("setup", result.get("best", "")))

    def _beside(self) -> dict[str, np.ndarray]:
        """Return the arrays of all networks, by network and name."""
        path = self.path / WEIGHTS
        return checkpoint.load(path)[0] if path.exists() else {}
