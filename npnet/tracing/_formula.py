"""Equations as people write them, such as "b ← momentum · b + g", read and worked out.

An equation becomes a tree: a number, a symbol, or an operator with its operands. The page has the trees too,
and works them out in the same way (``page/update.js``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from npnet.errors import InputError

# A number, a symbol, or an operator with its operands: 2.0, "g", ["·", "lr", "g"].
Tree = float | str | list[Any]
# Plain floats are rounded to the dtype of the array's elements they meet, as NumPy does in the update itself.
Value = float | np.floating[Any]

PART = re.compile(r"\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?|[^\W\d]\w*|[-+−·*/^√(),])")
SYMBOL = re.compile(r"[^\W\d]\w*")
ASCII = {"-": "−", "*": "·"}
FUNCTIONS = {"max": 2, "min": 2, "abs": 1, "sign": 1}
OPERATORS: Mapping[str, Any] = {
    "+": np.add,
    "−": np.subtract,
    "·": np.multiply,
    "/": lambda a, b: np.divide(a, b) if b != 0 else 0.0,
    "^": np.power,
    "√": np.sqrt,
    "neg": np.negative,
    "max": np.maximum,
    "min": np.minimum,
    "abs": np.absolute,
    "sign": np.sign,
}


class Line(NamedTuple):
    """One equation: what it is in words, what it gives a value, and how that is worked out."""

    says: str
    text: str
    symbol: str
    tree: Tree


def line(says: str, text: str) -> Line:
    """Read an equation.

    Parameters
    ----------
    says : str
        What it is, in words.
    text : str

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> line("step", "d = lr · g").tree
    ['·', 'lr', 'g']
    """
    symbol, sign, right = text.replace("=", "←").partition("←")
    if not sign or not SYMBOL.fullmatch(symbol.strip()):
        raise InputError(f"{text!r} must begin with a symbol and ← or =")
    return Line(says, text, symbol.strip(), _Reader(right, text).read())


def symbols(tree: Tree) -> Iterator[str]:
    """Yield the symbols that an equation takes."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, list):
        for operand in tree[1:]:
            yield from symbols(operand)


def evaluate(tree: Tree, values: Mapping[str, Value]) -> Value:
    """Work an equation out; every operation is rounded to the precision of the array's elements in it.

    Examples
    --------
    >>> evaluate(line("", "d = lr · max(g, 0) / (1 − β)").tree, {"lr": 0.5, "g": np.float32(3), "β": 0.25})
    np.float32(2.0)
    """
    if isinstance(tree, str):
        return values[tree]
    if not isinstance(tree, list):
        return tree
    operands = [evaluate(operand, values) for operand in tree[1:]]
    result: Value = OPERATORS[tree[0]](*operands)
    return result if any(isinstance(each, np.floating) for each in operands) else float(result)


class _Reader:
    """Reads the right side of an equation: sums of products of powers."""

    def __init__(self, right: str, text: str) -> None:
        self.text, self.parts = text, list[str]()
        place = 0
        while place < len(right.rstrip()):
            if (found := PART.match(right, place)) is None:
                raise InputError(f"{text!r} has a sign that is not known: {right[place:].strip()[0]!r}")
            self.parts.append(ASCII.get(found[1], found[1]))
            place = found.end()
        self.parts.reverse()

    def read(self) -> Tree:
        """Read all of it."""
        tree = self._chain("+−", self._product)
        if self.parts:
            raise InputError(f"{self.text!r} goes on where it should end: {self.parts[-1]!r}")
        return tree

    def _product(self) -> Tree:
        return self._chain("·/", self._signed)

    def _chain(self, operators: str, read: Any) -> Tree:
        tree: Tree = read()
        while self.parts and self.parts[-1] in operators:
            tree = [self.parts.pop(), tree, read()]
        return tree

    def _signed(self) -> Tree:
        if self._takes("−"):
            return ["neg", self._signed()]
        base = self._atom()
        return ["^", base, self._signed()] if self._takes("^") else base

    def _atom(self) -> Tree:
        part = self.parts.pop() if self.parts else ""
        if part == "√":
            return [part, self._atom()]
        if part in FUNCTIONS:
            self._require("(")
            operands = [self._chain("+−", self._product)]
            while self._takes(","):
                operands.append(self._chain("+−", self._product))
            self._require(")")
            if len(operands) != FUNCTIONS[part]:
                raise InputError(f"{self.text!r}: {part} takes {FUNCTIONS[part]}, got {len(operands)}")
            return [part, *operands]
        if part == "(":
            tree = self._chain("+−", self._product)
            self._require(")")
            return tree
        if part[:1].isdecimal():
            return float(part)
        if not SYMBOL.fullmatch(part):
            raise InputError(f"{self.text!r} lacks a number or symbol before {part or 'its end'!r}")
        return part

    def _takes(self, part: str) -> bool:
        if not self.parts or self.parts[-1] != part:
            return False
        self.parts.pop()
        return True

    def _require(self, part: str) -> None:
        if not self._takes(part):
            got = repr(self.parts[-1]) if self.parts else "its end"
            raise InputError(f"{self.text!r} must have {part!r} before {got}")
