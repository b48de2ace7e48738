"""Run an example and check an exercise: in CPython when the site is built, in the reader's browser later.

The same file does both, so what a page shows is what its reader gets.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import sys
import traceback
from collections.abc import Callable
from typing import Any, TypedDict

CELL = "<example>"  # the file name in tracebacks
Namespace = dict[str, Any]


class Output(TypedDict):
    """What an example printed and drew, and what went wrong, or ""."""

    text: str
    pictures: list[str]  # PNG files in base64
    error: str


def run(code: str, namespace: Namespace) -> Output:
    r"""Run an example; its last expression is shown, as in a notebook.

    Parameters
    ----------
    code : str
    namespace : dict
        The names of the examples before; new ones are added.

    Returns
    -------
    output : dict

    Examples
    --------
    >>> run("x = 3" + chr(10) + "x + 1", {})
    {'text': '4', 'pictures': [], 'error': ''}
    >>> run("1 / 0", {})["error"]
    'line 1: 1 / 0\nZeroDivisionError: division by zero'
    """
    pictures: list[str] = []

    def work() -> None:
        value = _run(code, namespace)
        if hasattr(value, "savefig"):
            pictures.append(_picture(value))
        elif value is not None:
            print(repr(value))

    text, error = _capture(work, code)
    return Output(text=text, pictures=pictures + _open_figures(), error=error)


def check(answer: str, test: str, namespace: Namespace) -> Output:
    """Run an answer to an exercise and then the test that judges it, on a copy of the names.

    Parameters
    ----------
    answer, test : str
        The test raises an exception, most often by ``assert``, whose message says what is wrong.
    namespace : dict

    Returns
    -------
    output : dict
        Its error is "" for a right answer.

    Examples
    --------
    >>> check("y = 2", "assert y == 3, 'y must be 3'", {})["error"]
    'y must be 3'
    """
    own = dict(namespace)
    output = run(answer, own)
    if output["error"]:
        return output
    text, error = _capture(lambda: _run(test, own), None)
    return Output(text=output["text"] + text, pictures=output["pictures"] + _open_figures(), error=error)


def _run(code: str, namespace: Namespace) -> Any:
    """Run code and return the value of its last line, if that is an expression."""
    body = ast.parse(code, CELL).body
    last = body[-1] if body else None
    before = body[:-1] if isinstance(last, ast.Expr) else body
    namespace.setdefault("__name__", "__main__")
    exec(compile(ast.Module(before, []), CELL, "exec"), namespace)  # noqa: S102 - running code is the purpose
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), CELL, "eval"), namespace)  # noqa: S307 - as above


def _capture(work: Callable[[], None], code: str | None) -> tuple[str, str]:
    """Call `work`; return what it printed, and its exception in words or ""."""
    printed, error = io.StringIO(), ""
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            work()
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - whatever an example raises is shown
            error = _in_words(raised, code)
    return printed.getvalue().rstrip("\n"), error


def _in_words(error: BaseException, code: str | None) -> str:
    """Return the line of the example that failed and the message; a test shows its message alone."""
    said = str(error)
    if code is None:
        return said if isinstance(error, AssertionError) and said else f"{type(error).__name__}: {said}"
    if isinstance(error, SyntaxError) and error.filename == CELL:
        line, said = error.lineno, error.msg
    else:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((frame.lineno for frame in reversed(frames) if frame.filename == CELL), None)
    place = "" if line is None else f"line {line}: {code.splitlines()[line - 1].strip()}\n"
    return f"{place}{type(error).__name__}: {said}"


def _open_figures() -> list[str]:
    """Draw and close the figures that matplotlib.pyplot holds open."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return []
    pictures = [_picture(pyplot.figure(number)) for number in pyplot.get_fignums()]
    pyplot.close("all")
    return pictures


def _picture(figure: Any) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, bbox_inches="tight", facecolor="white")
    return base64.b64encode(file.getvalue()).decode()
