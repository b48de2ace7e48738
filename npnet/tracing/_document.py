"""The page of a trace: one HTML document with its arrays, its style and its script inside.

The arrays are the bytes that NumPy has, so that every number on the page is the array's own. They are
deflated, which browsers undo by themselves, and written in base64. Before that the bytes of all arrays are
sorted by their place in a number: those with signs and exponents are much alike, and so take little room. A
gradient of another engine is kept as its distance from ours, in steps from one float32 to the next: mostly 0.
What a ReLU lets pass is kept as where it does, and the gradient of a weight from one sample, which is the
product of each upstream gradient with each input, as those two.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from npnet import __version__
from npnet._pages import asset, filled, theme
from npnet._words import counted
from npnet.shapes import Float, Int
from npnet.table import html_table
from npnet.tracing._formula import symbols
from npnet.tracing.operation import Operation, statistics
from npnet.tracing.rules import Rule

if TYPE_CHECKING:
    from npnet.tracing.step import Trace

SCRIPTS = (
    "arrays.js",
    "layer_terms.js",
    "loss_terms.js",
    "terms.js",
    "heatmap.js",
    "state.js",
    "network.js",
    "step.js",
    "sum.js",
    "update.js",
    "page.js",
)
# Elements of one array that the page takes whole, and of all together: some 5 MB. Of larger ones it takes a
# sample of places along their longest axes.
MOST_OF_ONE, MOST_OF_ALL = 65_536, 1_000_000
DTYPES = {"float32": "f4", "float64": "f8", "int32": "i4"}


def document(trace: Trace) -> str:
    """Return the page of a trace."""
    arrays = Arrays(_limit(trace))
    rules: list[Rule] = []
    operations = [_operation(operation, trace, arrays, rules) for operation in trace.operations]
    content = {
        "model": trace.model,
        "loss": trace.loss if np.isfinite(trace.loss) else None,
        "error": trace.error,
        "optimizer": trace.optimizer,
        "reference": trace.reference,
        "rules": [_rule(rule) for rule in rules],
        "operations": operations,
        "steps": [list(step) for step in trace.steps],
        "arrays": arrays.headers,
        "planes": arrays.planes,
    }
    values = {
        "title": escape(_title(trace)),
        "version": escape(__version__),
        "style": theme() + _asset("page.css"),
        "summary": _summary(trace, arrays),
        "table": _table(trace),
        "content": json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace(
            "<", "\\u003c"
        ),
        "arrays": arrays.encoded(),
        "scripts": "\n".join(f"<script>\n{_asset(name)}</script>" for name in SCRIPTS),
    }
    return filled(_asset("page.html"), values)


def _asset(name: str) -> str:
    return asset("npnet.tracing", "page", name)


class Arrays:
    """The arrays of a page, each once, however many operations have it.

    Parameters
    ----------
    most : int
        Elements of an array that are taken; of larger ones, places along the longest axes are left out.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.headers: list[dict[str, Any]] = []
        self.sampled = 0
        self._groups: dict[str, list[ndarray]] = {}  # arrays that are alike: bytes (numbers, width) of each
        self._known: dict[tuple[Any, ...], int] = {}

    def add(
        self,
        array: ndarray,
        near: ndarray | None = None,
        *,
        gated: bool = False,
        factors: tuple[ndarray, ndarray] | None = None,
    ) -> int:
        """Take an array and return its number.

        Near another it is kept as its distance from that. Gated, it is kept as where it has the other's
        numbers, provided that it is 0 elsewhere. With factors it is kept as their outer product, if it is
        that to the bit.
        """
        plain = _as_stored(array)
        key = (plain.shape, plain.dtype.str, plain.tobytes())
        if key not in self._known:
            if factors is not None and _is_outer(plain, *factors) and sample(plain.shape, self.most) is None:
                rows, columns = map(self.add, factors)
                self._known[key] = len(self.headers)
                self.headers.append(self._header(plain) | {"rows": rows, "columns": columns})
                return self._known[key]
            near = None if near is None or plain.dtype != np.float32 else _as_stored(near)
            if gated and (near is None or not _is_gated(plain, near)):
                near = None
            base = None if near is None else self.add(near)
            stored = plain
            if near is not None:
                stored = _passes(plain) if gated else zigzag(ordered(plain) - ordered(near))  # modulo 2³²
            self._known[key] = len(self.headers)
            self._store(plain, stored, {} if base is None else {"gate" if gated else "base": base})
        return self._known[key]

    def _header(self, array: ndarray) -> dict[str, Any]:
        return {
            "shape": array.shape,
            "dtype": DTYPES[str(array.dtype)],
            "described": described(array),
        }

    def _store(self, array: ndarray, stored: ndarray, relation: dict[str, int]) -> None:
        """Keep an array, or what leads to it from another, whose number the relation has."""
        places = sample(array.shape, self.most)
        here = stored if places is None else stored[np.ix_(*places)]
        numbers = np.ascontiguousarray(here).reshape(-1)
        alike = self._groups.setdefault(next(iter(relation), DTYPES[str(array.dtype)]), [])
        self.headers.append(self._header(array) | {"at": sum(map(len, alike)), **relation})
        if places is not None:
            self.sampled += 1
            self.headers[-1]["places"] = [
                None if len(axis) == size else axis for axis, size in zip(places, array.shape, strict=True)
            ]
        alike.append(numbers.view(np.uint8).reshape(len(numbers), numbers.itemsize))

    @property
    def planes(self) -> dict[str, list[int]]:
        """Where the first bytes of a group's numbers stand, where their second bytes do, and so on."""
        starts, at = {}, 0
        for name, alike in self._groups.items():
            count, width = sum(map(len, alike)), alike[0].shape[1]
            starts[name] = [at + count * byte for byte in range(width)]
            at += count * width
        return starts

    def encoded(self) -> str:
        """Return all arrays as text."""
        deflate = zlib.compressobj(9)
        parts = []
        for alike in self._groups.values():
            for plane in np.concatenate(alike).T:
                # What follows is of another kind: it has codes of its own.
                parts += [deflate.compress(plane.tobytes()), deflate.flush(zlib.Z_FULL_FLUSH)]
        return base64.b64encode(b"".join([*parts, deflate.flush()])).decode()


def ordered(array: Float[ndarray, "*n"]) -> Int[ndarray, "*n"]:
    """Return the number of each float32 in their order: from one to the next it is 1 more; −0 and 0 are 0.

    Examples
    --------
    >>> ordered(np.array([-1e-45, -0.0, 0.0, 1e-45], np.float32))
    array([-1,  0,  0,  1], dtype=int32)
    """
    bits = array.view(np.int32)
    return np.asarray(np.where(bits < 0, np.int32(-(2**31)) - bits, bits))


def zigzag(steps: Int[ndarray, "*n"]) -> Int[ndarray, "*n"]:
    """Return 0, −1, 1, −2, 2, … as 0, 1, 2, 3, 4, …: of small steps either way, all high bytes are 0.

    Examples
    --------
    >>> zigzag(np.array([0, -1, 1, -2, 2], np.int32)).tolist()
    [0, 1, 2, 3, 4]
    """
    return np.asarray((steps << 1) ^ (steps >> 31))


def _is_gated(array: ndarray, near: ndarray) -> bool:
    """Tell whether an array has, to the bit, another's numbers or 0."""
    if array.shape != near.shape or near.dtype != np.float32:
        return False
    bits = array.view(np.int32)
    return bool(((bits == 0) | (bits == near.view(np.int32))).all())


def _is_outer(array: ndarray, rows: ndarray, columns: ndarray) -> bool:
    """Tell whether an array is, to the bit, the product of each element of one with each of another."""
    if not array.dtype == rows.dtype == columns.dtype == np.float32 or array.shape != (
        rows.size,
        columns.size,
    ):
        return False
    with np.errstate(all="ignore"):
        product = np.multiply.outer(rows.reshape(-1), columns.reshape(-1)) + np.float32(0)  # a sum has no −0
    return bool((product.view(np.int32) == array.view(np.int32)).all())


def _passes(array: ndarray) -> ndarray:
    """Return 1 where an array is not 0, and 0 where it is, in a byte each."""
    return np.asarray(array.view(np.int32) != 0, np.uint8)


def sample(shape: tuple[int, ...], most: int) -> list[list[int]] | None:
    """Return for each axis the places that are taken, evenly spread; None if all are.

    Examples
    --------
    >>> sample((2, 3), 100)
    >>> sample((2, 8), 8)
    [[0, 1], [0, 2, 4, 6]]
    """
    counts = list(shape)
    while np.prod(counts, dtype=float) > most:
        longest = counts.index(max(counts))
        counts[longest] = -(-counts[longest] // 2)
    if counts == list(shape):
        return None
    return [[i * size // count for i in range(count)] for count, size in zip(counts, shape, strict=True)]


def _limit(trace: Trace) -> int:
    """Return how many elements of one array are taken, so that all together are not too many."""
    sizes = [array.size for operation in trace.operations for array in operation.tensors.values()]
    most = MOST_OF_ONE
    while sum(min(size, most) for size in sizes) > 2 * MOST_OF_ALL and most > 64:
        most //= 2
    return most


def _as_stored(array: ndarray) -> ndarray:
    """Return an array in a dtype that browsers know: labels become int32, or float64 where they are large."""
    if array.dtype.kind == "f":
        return array.copy(order="C")
    small = array.size == 0 or max(abs(int(array.min())), abs(int(array.max()))) < 2**31
    return array.astype(np.int32 if small else np.float64)


def described(array: ndarray) -> str:
    """Say in a line what an array is like.

    Examples
    --------
    >>> described(np.array([0.0, -1.5, 2.0, np.nan]))
    '−1.5 … 2, mean 0.1667, 25 % zeros, 1 NaN'
    """
    found = statistics(array)
    if not found.size:
        return "empty"
    parts = []
    if found.size == 1 and found.histogram:
        parts.append(f"{found.least:.4g}")
    elif found.histogram:
        parts += [f"{found.least:.4g} … {found.largest:.4g}", f"mean {found.mean:.4g}"]
    if found.zeros and found.size > 1:
        parts.append(f"{found.zeros / found.size:.0%} zeros".replace("%", " %"))
    parts += [f"{count} {what}" for count, what in ((found.nans, "NaN"), (found.infinities, "∞")) if count]
    return ", ".join(parts).replace("-", "−")


def _operation(operation: Operation, trace: Trace, arrays: Arrays, rules: list[Rule]) -> dict[str, Any]:
    rules += [rule for rule in operation.rules.values() if rule not in rules]
    return {
        "name": operation.name,
        "layer": operation.layer,
        "kind": operation.kind,
        "equations": dict(operation.equations),
        "settings": _plain(operation.settings),
        "sources": dict(operation.sources),
        "tensors": {
            name: arrays.add(
                array,
                operation.tensors.get(_neighbour(name)),
                gated=name in ("y", "grad_x"),
                factors=_factors(operation) if name == "grad_weight" else None,
            )
            for name, array in operation.tensors.items()
        },
        "reference": {
            name: arrays.add(trace.references[operation.name, name], operation.tensors[name])
            for name in operation.gradients
            if (operation.name, name) in trace.references
        },
        "kept": [
            [kept.name, list(kept.shape), kept.dtype, kept.bytes, kept.same_as] for kept in operation.kept
        ],
        "error": operation.error,
        "failed": operation.failed,
        "says": operation.says,
        "parameters": list(operation.parameters),
        "rules": {name: rules.index(rule) for name, rule in operation.rules.items()},
    }


def _rule(rule: Rule) -> dict[str, Any]:
    """Return an optimizer's equations, with those of its numbers that stand in them."""
    used = {symbol for line in rule.lines for symbol in symbols(line.tree)}
    numbers = {symbol: number for symbol, number in rule.numbers.items() if symbol in used}
    return {"lines": rule.lines, "numbers": _plain(numbers), "state": rule.state}


def _neighbour(name: str) -> str:
    """Return the name of the array that one may be near: a parameter before its step, or before a gate."""
    return {"y": "x", "grad_x": "grad_y"}.get(name, name.removeprefix("new_") if name[:4] == "new_" else "")


def _factors(operation: Operation) -> tuple[ndarray, ndarray] | None:
    """Return what the gradient of a weight is the outer product of, if there is one sample and no window."""
    tensors = operation.tensors
    return (tensors["grad_y"], tensors["x"]) if {"grad_y", "x"} <= tensors.keys() else None


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as JSON has them: a divisor of 0 becomes null."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in settings.items()
    }


def _title(trace: Trace) -> str:
    return f"One training step of {trace.model.partition('(')[0]}"


def _summary(trace: Trace, arrays: Arrays) -> str:
    """Say what the page shows, in a line or some."""
    parameters = sum(
        each[name].size for each in trace.operations for name in each.parameters if name in each.tensors
    )
    lines = [
        f"{counted(len(trace.x), 'sample')} through {counted(len(trace.operations), 'operation')} with "
        f"{parameters:,} parameters.".replace(",", " ")
        if trace.x.ndim
        else f"{counted(len(trace.operations), 'operation')}."
    ]
    if not np.isnan(trace.loss):
        lines.append(f"The loss is {trace.loss:.6g}.")
    if trace.target.dtype.kind in "iu" and trace.target.size <= 8:
        labels = ", ".join(map(str, trace.target.reshape(-1).tolist()))
        lines.append(f"The target is {labels}.")
    if arrays.sampled:
        lines.append(
            f"{counted(arrays.sampled, 'large array')} of {len(arrays.headers)} are sampled: places along "
            "the longest axes are left out, and sums say which of their terms are not on the page."
        )
    text = f"<p>{escape(' '.join(lines))}</p>"
    if trace.error:
        text += f'<p class="failure" role="alert">The step failed: {escape(trace.error)}</p>'
    return text


def _table(trace: Trace) -> str:
    """Return every array of both passes as a table, for those who read rather than look."""
    rows = []
    for operation in trace.operations:
        if not operation.ran_forward:
            said = f"failed: {operation.error}" if operation.failed == "forward" else "not run"
            rows.append([operation.name, operation.layer, "", "", said])
        rows += [
            [operation.name, operation.layer, name, str(array.shape), described(array)]
            for name, array in operation.tensors.items()
        ]
        if operation.ran_forward and not operation.ran_backward:
            said = f"failed: {operation.error}" if operation.failed == "backward" else "backward was not run"
            rows.append([operation.name, operation.layer, "", "", said])
    drawn = html_table(["operation", "layer", "array", "shape", "values"], rows)
    return drawn.replace(' style="text-align: left"', "")  # which the page's style says once
