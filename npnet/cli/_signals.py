"""Requests to end, met like Ctrl-C: what was learnt is kept, and the run says that it was interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What `kill`, a shutdown or a time limit sends, and a terminal that is closed; Windows lacks the latter.
REQUESTS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def ends_like_ctrl_c() -> Iterator[list[int]]:
    """Let a request to end do what Ctrl-C does, and yield the list of those that came.

    Training then ends after the step under way; a second request does not wait for it. Requests that are
    ignored, as under ``nohup``, stay so, as do a program's own handlers.
    """
    received: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        received.append(number)
        as_ctrl_c = signal.getsignal(signal.SIGINT)
        if len(received) > 1 or not callable(as_ctrl_c):
            raise KeyboardInterrupt
        as_ctrl_c(signal.SIGINT, frame)

    main_thread = threading.current_thread() is threading.main_thread()
    ours = [each for each in REQUESTS if main_thread and signal.getsignal(each) is signal.SIG_DFL]
    for each in ours:
        signal.signal(each, end)
    try:
        yield received
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)
