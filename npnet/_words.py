"""Helpers for text in messages and output lines."""

from __future__ import annotations


def one_line(text: str) -> str:
    r"""Return text as one line, with control characters escaped so that they cannot affect a terminal.

    Examples
    --------
    >>> one_line("no\n such \x1b[2Jfile")
    'no such \\x1b[2Jfile'
    """
    joined = " ".join(text.split())
    return "".join(c if c.isprintable() or ord(c) > 0xFF else repr(c)[1:-1] for c in joined)


def shortened(text: str, most: int) -> str:
    """Return text of at most `most` characters; longer text is cut in the middle.

    Examples
    --------
    >>> shortened("runs/of/last/year", 9)
    'runs…year'
    """
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[len(text) - half :]}"


def counted(n: int, name: str, several: str | None = None) -> str:
    """Return a number and a noun, in the singular if the number is 1.

    Examples
    --------
    >>> counted(1, "row"), counted(2, "row"), counted(0, "class", "classes")
    ('1 row', '2 rows', '0 classes')
    """
    return f"{n} {name if n == 1 else several or name + 's'}"
