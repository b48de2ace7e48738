"""The experiments, one file each: data, model, optimizer, and what to expect.

A recipe is a module of this package that holds an `npnet.experiments.Experiment` named ``recipe``; the recipe
``mnist-lenet`` stands in ``mnist_lenet.py``. `names` lists them and `get` gives one.
"""

from __future__ import annotations

import difflib
import pkgutil
from importlib import import_module

from npnet import check
from npnet.errors import InputError
from npnet.experiments import Experiment

__all__ = ["get", "names"]


def names() -> list[str]:
    """Return the names of all recipes, without loading them.

    Returns
    -------
    names : list of str
        In alphabetical order.

    Examples
    --------
    >>> "digits" in names()
    True
    """
    modules = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return sorted(name.replace("_", "-") for name in modules if not name.startswith("_"))


def get(name: str) -> Experiment:
    """Return the recipe of a name.

    Parameters
    ----------
    name : str
        As `names` lists it.

    Returns
    -------
    recipe : Experiment

    Raises
    ------
    InputError
        If there is none; the message says which was perhaps meant, or else which there are.

    Examples
    --------
    >>> get("digits").name
    'digits'
    """
    check.instance("recipes.get", "name", name, str, "the name of a recipe")
    known = names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        instead = (
            f"did you mean {close[0]}? All are listed by `npnet recipes`"
            if close
            else (f"recipes are: {', '.join(known)}")
        )
        raise InputError(f"there is no recipe {name!r:.60}; {instead}")
    recipe = import_module(f"{__name__}.{name.replace('-', '_')}").recipe
    assert isinstance(recipe, Experiment)
    return recipe
