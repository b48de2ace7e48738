"""Ctrl-C between two steps, never within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C wait until the loop asks, so that no update is left half done.

    Yields the function by which the loop asks; it raises KeyboardInterrupt if Ctrl-C was pressed. A
    second Ctrl-C does not wait. Signals are left alone outside the main thread, where Python does not
    deliver them, and where the program has a handler of its own.
    """
    asked = threading.Event()

    def stop_if_asked() -> None:
        if asked.is_set():
            raise KeyboardInterrupt

    def remember(_signal: int, _frame: FrameType | None) -> None:
        stop_if_asked()
        asked.set()

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, remember)
    try:
        yield stop_if_asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
