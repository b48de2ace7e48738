"""What becomes of a process of several when another one ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed

from npnet.errors import MissingError

# What the transports say when a connection breaks; they have no exception of their own for it.
SIGNS = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer")


@contextmanager
def missed() -> Iterator[None]:
    """Say in one line that another process has ended, where an exchange with it fails.

    Each exchange fails as soon as a connection breaks, so that no process waits for one that is gone.

    Raises
    ------
    MissingError
        In place of what the transport raises.

    Examples
    --------
    >>> try:
    ...     with missed():
    ...         raise RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer")
    ... except MissingError as error:
    ...     print(error)
    another process of this training has ended, so this one ends too; see its output
    """
    try:
        yield
    except RuntimeError as error:
        if not lost(error):
            raise
        raise MissingError(
            "another process of this training has ended, so this one ends too; see its output"
        ) from error


def lost(error: RuntimeError) -> bool:
    """Tell whether an error means that another process is gone.

    Parameters
    ----------
    error : RuntimeError

    Returns
    -------
    lost : bool

    Examples
    --------
    >>> lost(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    False
    """
    broken = (
        torch.distributed.DistBackendError,
        torch.distributed.DistNetworkError,
        torch.distributed.DistStoreError,
    )
    return isinstance(error, broken) or any(sign in str(error) for sign in SIGNS)
