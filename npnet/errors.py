"""The errors that npnet raises for invalid input."""

from __future__ import annotations


class InputError(ValueError):
    """An invalid argument or input; the message names it, what was expected and what was got.

    Inside a model, the message starts with the position and name of the layer, outermost first.
    """

    def inside(self, place: str) -> InputError:
        """Return the same error with a place, such as a layer, in front of its message."""
        return type(self)(f"{place}: {self}")


class DTypeError(InputError, TypeError):
    """An array of a dtype that the operation does not accept, or an object that is not an array."""


class MissingError(InputError):
    """A required file, data set or optional library is missing; the message says how to get it."""
