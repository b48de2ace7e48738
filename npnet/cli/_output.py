"""Printing that nothing stands in the way of: what is printed is never worth a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOBase, TextIOWrapper
from typing import Any

from npnet._words import one_line, shortened

MISTAKE, INTERRUPTED, PIPE_CLOSED = 2, 130, 141  # the last two as a shell has them
LONGEST = 600  # characters of a message; one with the longest paths would fill the screen


def say(line: str) -> None:
    """Print a line at once, for a reader at the other end of a pipe."""
    print(line, flush=True)


def complain(message: str, status: int) -> int:
    """Print one line about what went wrong, and return the exit status that goes with it."""
    with suppress(OSError, ValueError):  # nobody is there to hear it
        print(f"npnet: {shortened(one_line(message), LONGEST)}", file=sys.stderr, flush=True)
    return status


def finished(status: int) -> int:
    """Send off what was printed and return the exit status, another one if the reader has gone."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _point_elsewhere()
        return PIPE_CLOSED
    except (OSError, ValueError) as error:
        _point_elsewhere()
        reason = getattr(error, "strerror", None) or error
        return status or complain(f"the output cannot be written ({reason})", MISTAKE)
    return status


def _point_elsewhere() -> None:
    """Keep Python from complaining once more when it closes standard output."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextmanager
def usable_streams() -> Iterator[None]:
    """Put something that can be printed to in the place of standard streams that cannot.

    A program without a console has None, a daemon has closed ones, an editor has objects with `write` alone.
    A terminal of an old encoding gets a question mark for each character it does not have.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (usable(stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def usable(stream: Any) -> Any:
    """Return a stream if it has all that printing asks for, and otherwise one that stands for it."""
    if isinstance(stream, TextIOWrapper) and not stream.closed:
        with suppress(OSError, ValueError):
            stream.reconfigure(errors="replace")
        return stream
    if stream is None or getattr(stream, "closed", False) or not callable(getattr(stream, "write", None)):
        return Stream(None)
    whole = all(callable(getattr(stream, name, None)) for name in ("flush", "isatty"))
    return stream if whole else Stream(stream)


class Stream(TextIOBase):
    """What stands for an object that has `write` alone, or for nothing at all.

    Examples
    --------
    >>> Stream(None).write("nobody reads it"), Stream(None).isatty()
    (15, False)
    """

    def __init__(self, target: Any) -> None:
        self._target = target

    def write(self, text: str) -> int:
        """Write to what there is."""
        if self._target is not None:
            self._target.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what there is, if it can."""
        flush = getattr(self._target, "flush", None)
        if callable(flush):
            flush()
