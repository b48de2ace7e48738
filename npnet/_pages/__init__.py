"""What the HTML pages of npnet share: one style, and how a page is put together.

A page is a template with places for values, ``<!-- name -->``, beside its style and scripts. All of it goes
into one document, which needs no other file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources


def asset(package: str, *path: str) -> str:
    """Return the text of a file that a package brings.

    Parameters
    ----------
    package : str
    *path : str
        The folders in it, and the file.

    Returns
    -------
    text : str
    """
    return resources.files(package).joinpath(*path).read_text(encoding="utf-8")


def theme() -> str:
    """Return the style of all pages: colours in light, dark and print, type, and what can be clicked."""
    return asset("npnet._pages", "theme.css")


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return a template with a value at each of its places.

    Parameters
    ----------
    template : str
    values : mapping from names to HTML

    Returns
    -------
    html : str

    Examples
    --------
    >>> filled("<h1><!-- title --></h1>", {"title": "digits"})
    '<h1>digits</h1>'
    """
    return re.sub(r"<!-- (\w+) -->", lambda place: values[place[1]], template)
