"""The one family of errors a user of npnet meets: what was given does not fit."""

from __future__ import annotations


class InputError(ValueError):
    """Something passed in does not fit; the message names it, what was got and what was expected.

    Inside a model the message is prefixed with the place and the name of the layer, outermost first.
    """

    def inside(self, place: str) -> InputError:
        """Return the same error with the place it happened in written in front of its message."""
        return type(self)(f"{place}: {self}")


class DTypeError(InputError, TypeError):
    """An array of a dtype the operation does not take, or no array at all."""


class MissingError(InputError):
    """A file, a data set or an optional library that is needed is missing; the message says how to get it."""
