"""The machine, the libraries and the number of threads that results were measured with."""

from __future__ import annotations

import os
import platform
import subprocess
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
    """Return a description of the machine and the libraries, for JSON."""
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
    """Set every engine to the same number of threads, and verify it.

    Raises
    ------
    InputError
        If the number is less than 1 or more than the number of cores.
    """
    if not 1 <= number <= parallel.cores():
        raise InputError(f"threads must be from 1 to {parallel.cores()}, the number of cores, got {number}")
    import torch  # noqa: PLC0415 - the command line first reports if it is missing

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
    """Require PyTorch.

    Raises
    ------
    MissingError
        If it is missing; the message says how to install it.
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


def _cuda() -> dict[str, str] | None:
    """Return the GPU's name and memory, its driver, and the libraries PyTorch was built with."""
    import torch  # noqa: PLC0415 - as above

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "memory": f"{properties.total_memory / 2**30:.0f} GiB",
        "driver": _driver(),
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
    }


def _driver() -> str:
    """Return the version of NVIDIA's driver, as its own tool tells it."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 - fixed
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return told.stdout.splitlines()[0].strip()
