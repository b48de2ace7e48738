"""A parser of options that says what is wrong in one line, and what was perhaps meant."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from typing import Any, NoReturn

from npnet._words import one_line, shortened
from npnet.cli._output import LONGEST, MISTAKE


class _Formatter(argparse.HelpFormatter):
    """Help whose indented lines, the examples, are left as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text.strip():
            return text
        return super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """A parser without abbreviations, whose examples at the end of the help keep their lines."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", _Formatter)
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """End with one line: what is wrong, and where to read on."""
        joint = " See" if message.endswith("?") else "; see"
        self.exit(
            MISTAKE, f"{self.prog}: {shortened(one_line(message), LONGEST)}{joint} {self.prog} --help\n"
        )

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what is not known."""
        chosen, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.refuse(unknown[0])
        return chosen

    def refuse(self, argument: str) -> NoReturn:
        """End with what is wrong with an argument that is not known, and what was perhaps meant."""
        if not argument.startswith("-"):
            self.error(f"there is one argument too many: {argument!r}")
        option = argument.partition("=")[0]
        known = [known for action in self._actions for known in action.option_strings]
        self.error(f"there is no option {option}{meant(option, known)}")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help where it can be read; that it cannot be written is a mistake like any other."""
        with nullcontext() if file is sys.stdout else suppress(OSError, ValueError):
            (sys.stderr if file is None else file).write(message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = [] if action.choices is None else [str(each) for each in action.choices]
        if action.choices is None or value in action.choices:
            return
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the only sign of a command
            close = meant(value, choices)
            self.error(f"there is no command {value!r}{close or '; commands are ' + ', '.join(choices)}")
        self.error(
            f"argument {'/'.join(action.option_strings)}: must be one of {', '.join(choices)}, got {value!r}"
        )


def meant(word: str, known: Iterable[str]) -> str:
    """Return the question which of the known words was meant, or nothing if none is close.

    Examples
    --------
    >>> meant("trian", ["train", "recipes"])
    '; did you mean train?'
    >>> meant("nothing like it", ["train", "recipes"])
    ''
    """
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
