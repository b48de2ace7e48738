"""The bar that moves while a model is trained."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_DRAWINGS = 0.1


class Bar:
    """A line on standard error with the epoch, images per second, loss and accuracy.

    It is drawn ten times a second at most, whatever the number of steps, and not at all where nobody
    would see it: when it is switched off or standard error is not a terminal.

    Parameters
    ----------
    epochs : int
        How many there will be at most.
    images : int
        How many there are in one epoch.
    enabled : bool
        Whether a bar is wanted.
    """

    def __init__(self, epochs: int, images: int, *, enabled: bool) -> None:
        self.epochs, self.images = epochs, images
        self.enabled = enabled and sys.stderr.isatty()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._last_drawn = time.perf_counter()

    def show(self, epoch: int, seen: int, per_second: float, loss: float, accuracy: float | None) -> None:
        """Draw the state of an epoch, unless the last drawing is too recent."""
        if not self.enabled or time.perf_counter() - self._last_drawn < SECONDS_BETWEEN_DRAWINGS:
            return
        if self._progress is None or self._task is None:
            self._start()
        assert self._progress is not None
        assert self._task is not None
        shown_accuracy = "" if accuracy is None else f"accuracy {100 * accuracy:.2f} %"
        self._progress.update(
            self._task,
            completed=seen,
            description=f"epoch {epoch}/{self.epochs}",
            numbers=f"{per_second:,.0f} images/s  loss {loss:.4f}  {shown_accuracy}".replace(",", " "),
        )
        self._progress.refresh()
        self._last_drawn = time.perf_counter()

    def clear(self) -> None:
        """Take the bar away, so that lines can be printed; the next `show` draws it again."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = self._task = None

    def _start(self) -> None:
        # Loaded here, so that training without a bar does not wait for rich.
        from rich.console import Console  # noqa: PLC0415 - see above
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=self.images, numbers="")
        self._progress.start()
