"""What a machine can do at its best, measured beside everything else.

Of a CPU, products and copies; of a GPU transfers and launches too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from benchmarks.ceiling_report import COPIES, PRODUCTS
from benchmarks.contenders import EAGER, NPNET, by_events
from benchmarks.gpu_report import BF16_PRODUCT, COPY, FLOAT32, LAUNCH, SEND, SEND_PINNED, TF32
from benchmarks.results import Record
from benchmarks.timing import on_the_cpu, race

SIDE = 8192  # of the matrices multiplied
BYTES = 2**30  # copied
SIDE_OF_CPU, BYTES_OF_CPU = 2048, 2**28  # larger than the caches


def of_the_gpu(*, side: int = SIDE, size: int = BYTES, rounds: int = 5) -> list[Record]:
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


def of_the_cpu(
    *, threads: int, side: int = SIDE_OF_CPU, size: int = BYTES_OF_CPU, rounds: int = 10
) -> list[Record]:
    """Return the rates of NumPy's and PyTorch's products, and of their copies, in float32.

    Parameters
    ----------
    threads : int
        A copy by NumPy is made by so many at a time, as npnet's element-wise operations are.
    side : int
        Of the square matrices multiplied: 2·side³ operations each.
    size : int
        Bytes copied. A copy reads and writes them, and both count.
    rounds : int
    """
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((side, side), dtype=np.float32) for _ in range(2))
    product, here = np.empty_like(a), np.ones(size // 4, np.float32)
    there = np.empty_like(here)
    in_torch = [torch.from_numpy(array) for array in (a, b, product, here, there)]
    pieces = list(zip(np.array_split(there, threads), np.array_split(here, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        tasks: dict[str, tuple[dict[str, Callable[[], object]], int, str]] = {
            PRODUCTS: (
                {
                    NPNET: lambda: np.matmul(a, b, out=product),
                    EAGER: lambda: torch.mm(*in_torch[:2], out=in_torch[2]),
                },
                2 * side**3,
                "FLOP/s",
            ),
            COPIES: (
                {
                    NPNET: lambda: list(pool.map(lambda pair: np.copyto(*pair), pieces)),
                    EAGER: lambda: in_torch[4].copy_(in_torch[3]),
                },
                2 * size,
                "B/s",
            ),
        }
        records = []
        for name, (by_engine, amount, unit) in tasks.items():
            contenders = [on_the_cpu(engine, task) for engine, task in by_engine.items()]
            samples = race(contenders, rounds=rounds, turn=0.05)
            rates = {engine: [amount / second for second in samples[engine]] for engine in samples}
            records.append(Record({"ceiling": name}, rates, unit=unit))
    return records
