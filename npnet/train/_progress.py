"""How training shows its progress: a bar, a line for each epoch, or a live bar in a notebook."""

from __future__ import annotations

import importlib
import sys
import time
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from npnet._words import counted
from npnet.train.history import Epoch, History, readable, spaced
from npnet.train.state import State

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_DRAWINGS = 0.1
MOST_LINES = 100  # for the epochs of a run; of more epochs, some are left out

ProgressMode = bool | Literal["bar"]


class Reporter:
    """Shows progress on standard error.

    In a terminal this is a bar, in a notebook a bar that is updated in place, elsewhere one line for each
    epoch (at most a hundred lines). A last line says how training ended. If standard error is closed or
    absent, nothing is shown and training goes on.

    Parameters
    ----------
    progress : bool or "bar"
        Whether to show progress; "bar" is the bar in a terminal alone, for callers that report the rest.
    epochs : int
        Number of epochs at most.
    images : int
        Number of samples in one epoch.
    """

    def __init__(self, progress: ProgressMode, epochs: int, images: int) -> None:
        self.epochs, self.images = epochs, images
        self.speaks = progress is True
        self.bar: Bar | LiveBar | None = None
        if self.speaks and in_notebook():
            self.bar = LiveBar(epochs, images)
        elif progress and _is_terminal():
            self.bar = Bar(epochs, images)
        self._began = self._last_drawn = time.perf_counter()

    def notes(self, lines: list[str]) -> None:
        """Show lines about conversions and checkpoints."""
        for line in lines if self.speaks else ():
            self._say(line)

    def step(self, state: State, seconds: float) -> None:
        """Draw the current epoch, unless the last drawing is too recent."""
        if self.bar is None or time.perf_counter() - self._last_drawn < SECONDS_BETWEEN_DRAWINGS:
            return
        metrics = state.metrics
        accuracy = "" if metrics.accuracy is None else f"accuracy {100 * metrics.accuracy:.2f} %"
        numbers = f"{spaced(metrics.seen / seconds)} samples/s  loss {readable(metrics.loss)}  {accuracy}"
        self.bar.show(state.epoch + 1, metrics.seen, numbers)
        self._last_drawn = time.perf_counter()

    def epoch(self, epoch: Epoch) -> None:
        """Show an epoch that has finished."""
        if isinstance(self.bar, LiveBar):
            self.bar.show(epoch.epoch, self.images, epoch.line(self.epochs))
        every = max(1, self.epochs // MOST_LINES)
        if self.speaks and self.bar is None and (epoch.epoch % every == 0 or epoch.epoch in (1, self.epochs)):
            self._say(epoch.line(self.epochs))

    def clear(self) -> None:
        """Remove the bar, so that lines can be printed; the next step draws it again."""
        if self.bar is not None:
            self.bar.clear()

    def close(self, history: History) -> None:
        """Show how training ended."""
        self.clear()
        if self.speaks:
            seconds = time.perf_counter() - self._began
            ran = f"{len(history.epochs)} of {counted(self.epochs, 'epoch')} in {seconds:.1f} s"
            self._say(f"{history.ending} {ran}{_best(history)}; {history.kept}")

    def _say(self, line: str) -> None:
        if isinstance(self.bar, LiveBar):
            self.bar.say(line)
        else:
            _write(line)


class Bar:
    """A line in a terminal with epoch, samples per second, loss and accuracy."""

    def __init__(self, epochs: int, images: int) -> None:
        self.epochs, self.images = epochs, images
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._works = True

    def show(self, epoch: int, seen: int, numbers: str) -> None:
        """Draw the state of an epoch."""
        if not self._works:
            return
        try:
            if self._progress is None or self._task is None:
                self._progress, self._task = self._start()
            description = f"epoch {epoch}/{self.epochs}"
            self._progress.update(self._task, completed=seen, description=description, numbers=numbers)
            self._progress.refresh()
        except (OSError, ValueError):  # the terminal is gone
            self._works = False

    def clear(self) -> None:
        """Remove the bar."""
        if self._progress is not None:
            try:
                self._progress.stop()
            except (OSError, ValueError):
                self._works = False
            self._progress = self._task = None

    def _start(self) -> tuple[Progress, TaskID]:
        # Imported here, so that training without a bar does not load rich.
        from rich.console import Console  # noqa: PLC0415 - see above
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

        progress = Progress(
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
        task = progress.add_task("", total=self.images, numbers="")
        progress.start()
        return progress, task


class LiveBar:
    """A bar in a notebook, updated in place, with the lines shown so far above it."""

    def __init__(self, epochs: int, images: int) -> None:
        self.epochs, self.images = epochs, images
        self._lines: list[str] = []
        self._bar = ""
        self._handle: Any = None

    def show(self, epoch: int, seen: int, numbers: str) -> None:
        """Draw the state of an epoch."""
        done = (epoch - 1) * self.images + seen
        label = numbers if numbers.startswith("epoch") else f"epoch {epoch}/{self.epochs}  {numbers}"
        bar = f'<progress value="{done}" max="{self.epochs * self.images}"></progress>'
        self._bar = f'{bar} <span style="white-space: pre">{escape(label)}</span>'
        self._draw()

    def say(self, line: str) -> None:
        """Add a line."""
        self._lines.append(escape(line))
        self._draw()

    def clear(self) -> None:
        """Remove the bar and leave the lines."""
        if self._bar:
            self._bar = ""
            self._draw()

    def _draw(self) -> None:
        display = importlib.import_module("IPython.display")  # the notebook has loaded it
        page = display.HTML("<br>".join([*self._lines, *([self._bar] if self._bar else [])]))
        if self._handle is None:
            self._handle = display.display(page, display_id=True)
        else:
            self._handle.update(page)


def in_notebook() -> bool:
    """Return whether the program runs in a notebook, that is, in IPython with a kernel."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = get_ipython() if callable(get_ipython) else None
    return getattr(shell, "kernel", None) is not None


def _best(history: History) -> str:
    """Return the best epoch and its validation loss as text."""
    if not history.best_epoch or history.diverged:
        return ""
    best = history.epochs[history.best_epoch - 1]
    loss = "" if best.validation_loss is None else f", validation loss {readable(best.validation_loss)}"
    return f"; best epoch {best.epoch}{loss}"


def _is_terminal() -> bool:
    try:
        return bool(sys.stderr.isatty())
    except (AttributeError, OSError, ValueError):  # standard error is absent, closed, or has no isatty
        return False


def _write(line: str) -> None:
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # standard error is absent or closed
        return
