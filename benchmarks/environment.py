"""The machine and the libraries that figures were measured with, and how many threads they had."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata, util
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

import npnet
from npnet import parallel
from npnet.errors import InputError, MissingError

LIBRARIES = ("numpy", "torch", "jax", "autograd")


def describe(threads: int) -> dict[str, Any]:
    """Return what was measured with, ready for JSON."""
    return {
        "processor": processor(),
        "cores": parallel.cores(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": {"npnet": npnet.__version__}
        | {name: _version(name) for name in LIBRARIES if _version(name)},
        "blas": [
            {key: library.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
            for library in threadpool_info()
            if library["user_api"] == "blas"
        ],
        "cuda": _cuda(),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@contextmanager
def threads_of_all(number: int) -> Iterator[None]:
    """Give every engine the same number of threads, and make sure that each has it.

    Raises
    ------
    InputError
        If the number is not from 1 to that of the cores.
    """
    if not 1 <= number <= parallel.cores():
        raise InputError(f"threads must be from 1 to {parallel.cores()}, the cores there are, got {number}")
    import torch  # noqa: PLC0415 - the command line says first if it is missing

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with threadpool_limits(number, user_api="blas"):
            counts = {
                library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
            }
            if torch.get_num_threads() != number or counts - {number}:
                raise InputError(
                    f"every engine must have {number} threads, "
                    f"got {torch.get_num_threads()} of PyTorch and {sorted(counts)} of BLAS"
                )
            yield
    finally:
        torch.set_num_threads(before)


def require_torch() -> None:
    """Say how to get PyTorch where it is missing.

    Raises
    ------
    MissingError
        If it is.
    """
    if util.find_spec("torch") is None:
        raise MissingError("PyTorch, which npnet is timed against, is missing: pip install torch torchvision")


def processor() -> str:
    """Return the processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _cuda() -> str | None:
    import torch  # noqa: PLC0415 - as above

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None
