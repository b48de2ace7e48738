"""Whether there is a GPU that PyTorch can use, and why not."""

from __future__ import annotations

import warnings

import torch

from npnet.errors import InputError


def has_gpu() -> bool:
    """Tell whether PyTorch finds a GPU it can use.

    Of a driver that is too old PyTorch warns in several lines; `why_no_gpu` says so in one.

    Returns
    -------
    has_gpu : bool
    """
    with warnings.catch_warnings(action="ignore"):
        return torch.cuda.is_available()


def why_no_gpu() -> str:
    """Say why PyTorch has no GPU; what it says of the driver itself may be that it is too old.

    Returns
    -------
    why : str
        Goes on from *PyTorch*.
    """
    if torch.version.cuda is None:
        return "is built without CUDA"
    try:
        with warnings.catch_warnings(action="ignore"):
            torch.cuda.init()  # type: ignore[no-untyped-call]
    except (RuntimeError, AssertionError) as error:
        told = str(error).split(". Please", 1)[0].split("\n", 1)[0].rstrip(".")
        return f"finds no GPU it can use: {told[:1].lower()}{told[1:]}"
    return "finds no GPU it can use"


def check_device(device: str) -> None:
    """Require a device that is there.

    Parameters
    ----------
    device : str
        "cpu" or "cuda".

    Raises
    ------
    InputError
        If PyTorch sees no such device.
    """
    if device not in {"cpu", "cuda"}:
        raise InputError(f"the device must be cpu or cuda, got {device!r}")
    if device == "cuda" and not has_gpu():
        raise InputError(f"device cuda: PyTorch {torch.__version__} {why_no_gpu()}; use --device cpu")
