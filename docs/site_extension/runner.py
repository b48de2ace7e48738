"""Run an example and check an exercise: in CPython when the site is built, in the reader's browser later.

The same file does both, so what a page shows is what its reader gets.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import logging
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypedDict

Namespace = dict[str, Any]
Picture = dict[str, str]  # a figure for a "light" page and for a "dark" one, as PNG files in base64
EXAMPLE, CHECK = "<example {}>", "<check>"  # file names in tracebacks; each example has its own
RESERVE = 4 * 2**20  # bytes that are let go when memory is full, so that this can still be said
ROOM = 32 * 2**20  # bytes without which the next example would fail too
_sources: dict[
    str, str
] = {}  # the code of all examples, by file name: what an earlier one made may fail later

# Else the first figure begins with a remark on the list of fonts.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


class Output(TypedDict):
    """What an example printed and drew, and what went wrong, or ""."""

    text: str
    pictures: list[Picture]
    error: str


class _NobodyToAsk(io.TextIOBase):
    """Stands in the place of the keyboard, which an example cannot reach."""

    def readline(self, _size: int | None = -1, /) -> str:  # type: ignore[override]
        raise RuntimeError(
            "nobody can type an answer here; write the value into the code, in place of input()"
        )

    read = readline


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
    figures: list[Any] = []
    name = EXAMPLE.format(len(_sources) + 1)
    _sources[name] = code

    def work() -> None:
        value = _run(code, name, namespace)
        if hasattr(value, "savefig"):
            figures.append(value)
        elif value is not None:
            print(repr(value))

    return _captured(work, name, figures)


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
    answered = run(answer, own)
    if answered["error"]:
        return answered
    name = EXAMPLE.format(len(_sources))
    tested = _captured(lambda: _run(test, CHECK, own), name, [])
    text = "\n".join(filter(None, (answered["text"], tested["text"])))
    return Output(text=text, pictures=answered["pictures"] + tested["pictures"], error=tested["error"])


def call(function: Callable[..., Any], *values: Any) -> Any:
    """Call a function with a reserve of memory, from which an error can be told."""
    with _reserve():
        return function(*values)


def has_room() -> bool:
    """Tell whether there is memory for another example."""
    try:
        bytearray(ROOM)
    except MemoryError:
        return False
    return True


def _run(code: str, name: str, namespace: Namespace) -> Any:
    """Run code and return the value of its last line, if that is an expression."""
    body = ast.parse(code, name).body
    last = body[-1] if body else None
    before = body[:-1] if isinstance(last, ast.Expr) else body
    namespace.setdefault("__name__", "__main__")
    exec(compile(ast.Module(before, []), name, "exec"), namespace)  # noqa: S102 - running code is the purpose
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), name, "eval"), namespace)  # noqa: S307 - as above


def _captured(work: Callable[[], None], name: str, figures: list[Any]) -> Output:
    """Call `work`; return what it printed and drew, and its exception in words.

    What it drew are `figures` and those that matplotlib.pyplot holds open. The reader's lines
    are those of the file `name`.
    """
    printed, pictures = io.StringIO(), list[Picture]()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), _alone(name):
        errors = [_error(step, name) for step in (work, lambda: pictures.extend(_drawn(figures)))]
    return Output(
        text=printed.getvalue().rstrip("\n"), pictures=pictures, error="\n".join(filter(None, errors))
    )


def _error(work: Callable[[], None], name: str) -> str:
    try:
        with _reserve():
            work()
    except (Exception, SystemExit) as raised:  # noqa: BLE001 - whatever an example raises is shown
        return _in_words(raised, name)
    return ""


@contextlib.contextmanager
def _reserve() -> Iterator[None]:
    kept = bytearray(RESERVE)
    try:
        yield
    finally:
        kept.clear()


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Say clearly that nobody can be asked, and which line warns; figures need not be shown."""
    keyboard, sys.stdin = sys.stdin, _NobodyToAsk()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive", UserWarning)

            warnings.showwarning = _teller_of_warnings(name)
            yield
    finally:
        sys.stdin = keyboard


def _teller_of_warnings(name: str) -> Callable[..., None]:
    """Return what takes the place of `warnings.showwarning`, and names a line of the reader's."""

    def tell(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        *_: object,
        **_named: object,
    ) -> None:
        print(f"{_place(filename, lineno, name)}{category.__name__}: {message}", file=sys.stderr)

    return tell


def _in_words(error: BaseException, name: str) -> str:
    """Return the reader's line that failed and the message; a test shows its message alone."""
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    said = str(error) or ("there is no more memory" if isinstance(error, MemoryError) else "")
    if isinstance(error, SyntaxError) and error.filename == name:
        frames, said = [(name, error.lineno)], error.msg
    tested = any(file == CHECK for file, _ in frames)
    if tested and isinstance(error, AssertionError) and said and frames[-1][0] not in _sources:
        return said
    place = next((_place(file, line, name) for file, line in reversed(frames) if file in _sources), "")
    if tested and not place:
        place = "The check could not use your answer.\n"
    return place + ": ".join(filter(None, (type(error).__name__, said)))


def _place(file: str, number: int | None, name: str) -> str:
    """Return a line of an example in words, on a line of its own; of other files nothing."""
    lines = _sources.get(file, "").splitlines()
    if number is None or not 0 < number <= len(lines):
        return ""
    where = "" if file == name else " of an example above"
    return f"line {number}{where}: {lines[number - 1].strip()}\n"


def _drawn(figures: list[Any]) -> list[Picture]:
    """Draw figures and those that matplotlib.pyplot holds open, each once; pyplot's are closed."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    held = [pyplot.figure(number) for number in pyplot.get_fignums()] if pyplot else []
    if pyplot:
        pyplot.close("all")
    different = {id(figure): figure for figure in (*held, *figures)}
    if not different:
        return []
    # A file beside this one: here a module of a package, in the browser one by itself.
    pictures = importlib.import_module(__name__.removesuffix("runner") + "pictures")
    return [pictures.drawn(figure) for figure in different.values()]
