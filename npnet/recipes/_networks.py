"""What experiments with several networks have in common: the networks, and how to choose among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from npnet.errors import InputError
from npnet.recipes._network import NetworkRecipe
from npnet.recipes._recipe import ORDER, Recipe

R = TypeVar("R", bound="RecipeOfNetworks")


@dataclass(frozen=True, kw_only=True)
class RecipeOfNetworks(Recipe):
    """An experiment with several networks, of which some can be chosen.

    Parameters
    ----------
    networks : tuple of NetworkRecipe
        Their names tell them apart.
    """

    networks: tuple[NetworkRecipe, ...]
    any_engine: ClassVar[bool] = True

    @property
    def uses(self) -> tuple[str, ...]:
        """The options that bear on one of the networks at least, and the choice among them."""
        used = {"only", *super().uses}
        for network in self.networks:
            used |= {*network.own_options}
        return tuple(name for name in ORDER if name in used)

    def only(self: R, *names: str) -> R:  # noqa: PYI019 - the shape checks cannot resolve Self
        """Return the experiment with some of its networks, in the order it has them.

        Raises
        ------
        InputError
            If there is no network of a name.
        """
        known = [network.name for network in self.networks]
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            asked = repr(unknown[0]) if unknown else "none"
            raise InputError(
                f"{self.name}: networks must be among {', '.join(map(quoted, known))}, got {asked}"
            )
        chosen = tuple(each for each in self.networks if each.name in names)
        return replace(self, networks=chosen, whole=self.whole and chosen == self.networks)


def setting(name: str, *, kind: type[NetworkRecipe] = NetworkRecipe, **settings: Any) -> NetworkRecipe:
    """Return one of several networks, with its settings; the experiment says what it is and where from.

    Parameters
    ----------
    name : str
        What tells it from the others.
    kind : class
        `NetworkRecipe` or one that looks closer at what was learnt.
    **settings
        As `NetworkRecipe` takes them.

    Returns
    -------
    network : NetworkRecipe
    """
    return kind(name=name, title=name, source="", reported="", expects="", **settings)


def quoted(name: str) -> str:
    """Return the name of a network as a command line takes it.

    Examples
    --------
    >>> quoted("λ = 0.001")
    '"λ = 0.001"'
    """
    return f'"{name}"'
