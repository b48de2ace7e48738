"""Signals that ask a run to end, met between two steps and never within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# What `kill`, a scheduler or a shutdown sends, and a terminal that closes; Windows has no SIGHUP.
TERMINATION = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupted(KeyboardInterrupt):
    """A signal asked for the end, and the step in progress is finished.

    Attributes
    ----------
    number : int
        The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def deferred_signals(*, termination: bool) -> Iterator[Callable[[], None]]:
    """Let signals wait until the training loop asks for them, so that no update is left half done.

    Yields the function by which the loop asks; it raises `Interrupted` after a signal. A second signal does
    not wait: it raises KeyboardInterrupt, or SystemExit with the status 128 + signal, at once. Signals are
    left alone outside the main thread, where Python does not deliver them, and where the program has a
    handler of its own.

    Parameters
    ----------
    termination : bool
        Whether SIGTERM and SIGHUP wait too, or SIGINT (Ctrl-C) alone.
    """
    received: list[int] = []
    met = False  # whether the loop knows of it

    def stop_if_asked() -> None:
        nonlocal met
        if received:
            met = True
            raise Interrupted(received[0])

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal met
        received.append(number)
        if len(received) > 1:
            met = True
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    before = _replaceable(termination=termination)
    for number in before:
        signal.signal(number, handle)
    try:
        yield stop_if_asked
    finally:
        for number, default in before.items():
            signal.signal(number, default)
        if received and not met and received[0] != signal.SIGINT:
            signal.raise_signal(received[0])  # it came when training had ended


def _replaceable(*, termination: bool) -> dict[int, Any]:
    """Return the signals to be handled, with their present handlers, which are Python's own."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    defaults: dict[int, Any] = {signal.SIGINT: signal.default_int_handler}
    if termination:
        defaults |= dict.fromkeys(TERMINATION, signal.SIG_DFL)
    return {number: default for number, default in defaults.items() if signal.getsignal(number) is default}
