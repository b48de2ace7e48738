"""What a GPU can do at its best, measured beside everything else: products, copies, transfers, launches."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.contenders import by_events
from benchmarks.gpu_report import BF16_PRODUCT, COPY, FLOAT32, LAUNCH, SEND, SEND_PINNED, TF32
from benchmarks.results import Record
from benchmarks.timing import race

SIDE = 8192  # of the matrices multiplied
BYTES = 2**30  # copied


def measure(*, side: int = SIDE, size: int = BYTES, rounds: int = 5) -> list[Record]:
    """Return the rates in operations or bytes a second, and the seconds a launch takes.

    Parameters
    ----------
    side : int
        Of the square matrices multiplied: 2·side³ operations each. Their numbers are random, as zeros
        are multiplied faster.
    size : int
        Bytes copied. A copy on the GPU reads and writes them, and both count.
    rounds : int
    """
    device = torch.device("cuda")
    a, b = (torch.randn(side, side, device=device) for _ in range(2))
    half_a, half_b = a.bfloat16(), b.bfloat16()
    here, there = (torch.empty(size // 4, device=device).normal_() for _ in range(2))
    host, pinned = torch.empty(size // 4).fill_(1), torch.empty(size // 4, pin_memory=True)
    one = torch.zeros(1, device=device)
    operations = 2 * side**3

    def product(precision: str) -> Callable[[], object]:
        def multiply() -> None:
            torch.set_float32_matmul_precision(precision)
            torch.mm(a, b)

        return multiply

    tasks: dict[str, tuple[Callable[[], object], float]] = {
        FLOAT32: (product("highest"), operations),
        TF32: (product("high"), operations),
        BF16_PRODUCT: (lambda: torch.mm(half_a, half_b), operations),
        COPY: (lambda: there.copy_(here), 2 * size),
        SEND: (lambda: there.copy_(host), size),
        SEND_PINNED: (lambda: there.copy_(pinned, non_blocking=True), size),
        LAUNCH: (lambda: one.add_(1), 0),
    }
    before = torch.get_float32_matmul_precision()
    try:
        samples = race([by_events(name, task) for name, (task, _) in tasks.items()], rounds=rounds, turn=0.05)
    finally:
        torch.set_float32_matmul_precision(before)
    records = []
    for name, seconds in samples.items():
        amount = tasks[name][1]
        unit = "s" if not amount else "FLOP/s" if amount == operations else "B/s"
        values = [amount / second if amount else second for second in seconds]
        records.append(Record({"ceiling": name}, {"GPU": values}, unit=unit))
    return records
