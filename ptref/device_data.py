"""Minibatches on a device: from data that lies there, or sent while the step before is computed.

A GPU that waits for the next minibatch learns nothing meanwhile. Data that fits is sent once and shuffled
there. Data that does not is gathered into pinned memory, which the GPU's copy engine reads by itself, and
travels on a stream of its own, a minibatch ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from npnet import check
from npnet.errors import InputError

SHARE = 0.5  # of the memory that is free; the rest is the step's
AHEAD = 2  # minibatches in pinned memory: one that travels, one that is gathered


class DeviceData:
    """Samples and their targets, given out as minibatches on a device.

    Parameters
    ----------
    x : array, shape (n, ...)
        Samples as they are stored, uint8 for images: what travels is a quarter of float32 then.
    target : array, shape (n, ...)
    device : torch.device
    prepared : callable, optional
        Turns samples on the device into what the module takes, such as floats in 0…1.
    resident : bool, optional
        Whether all data is kept on the device; by default if it takes no more than half the free memory.

    Raises
    ------
    InputError
        If there are no samples, or not one target for each.

    Examples
    --------
    >>> data = DeviceData(np.arange(5.0), np.arange(5), torch.device("cpu"))
    >>> [target.tolist() for _, target in data.minibatches(2, np.array([4, 3, 2, 1, 0]))]
    [[4, 3], [2, 1], [0]]
    """

    def __init__(
        self,
        x: ndarray,
        target: ndarray,
        device: torch.device,
        *,
        prepared: Callable[[Tensor], Tensor] = lambda x: x,
        resident: bool | None = None,
    ) -> None:
        if not len(x) or len(x) != len(target):
            raise InputError(
                f"DeviceData: x and target must be equally many and not none, got {len(x)} and {len(target)}"
            )
        self.device, self.prepared = device, prepared
        self.resident = fits(x.nbytes + target.nbytes, device) if resident is None else resident
        self._host = torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(np.ascontiguousarray(target))
        self._x, self._target = (part.to(device) for part in self._host) if self.resident else self._host

    def send(self) -> None:
        """Bring the data to the device once more, to where it lies; what was changed in memory arrives."""
        if self.resident:
            for here, host in zip((self._x, self._target), self._host, strict=True):
                here.copy_(host)

    def __len__(self) -> int:
        return len(self._x)

    def minibatches(
        self, batch_size: int, order: ndarray | Tensor, *, drop_last: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield samples and targets on the device, in an order of the samples' numbers.

        A minibatch is to be used by the current stream before the next one but one is asked for.
        """
        batch_size = check.integer("DeviceData", "batch_size", batch_size, least=1)
        numbers = torch.as_tensor(order)
        end = len(numbers) - (len(numbers) % batch_size if drop_last else 0)
        if self.resident:
            numbers = numbers.to(self.device)
        parts = [numbers[i : i + batch_size] for i in range(0, end, batch_size)]
        if self.resident:
            yield from map(self.at, parts)
            return
        for x, target in self._sent(parts, batch_size):
            yield self.prepared(x), target

    def at(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the samples of these numbers, which lie on the device as the data does."""
        return self.prepared(self._x.index_select(0, rows)), self._target.index_select(0, rows)

    def _sent(self, parts: list[Tensor], batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Gather a minibatch and send it off before the one that was sent before it is given out."""
        if self.device.type != "cuda":
            for part in parts:
                pair = self._x.index_select(0, part), self._target.index_select(0, part)
                yield pair[0].to(self.device), pair[1].to(self.device)
            return
        senders = [_Sender(self._x, self._target, batch_size, self.device) for _ in range(AHEAD)]
        for i, part in enumerate(parts):
            senders[i % AHEAD].send(part)
            if i:
                yield senders[(i - 1) % AHEAD].received()
        if parts:
            yield senders[(len(parts) - 1) % AHEAD].received()


class _Sender:
    """Pinned memory for one minibatch, and the stream on which it travels."""

    def __init__(self, x: Tensor, target: Tensor, batch_size: int, device: torch.device) -> None:
        self.sources = x, target
        self.pinned = tuple(
            torch.empty((batch_size, *part.shape[1:]), dtype=part.dtype, pin_memory=True)
            for part in (x, target)
        )
        self.device = device
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.sent: tuple[Tensor, ...] = ()

    def send(self, part: Tensor) -> None:
        self.stream.synchronize()  # what lay in pinned memory must have left it
        for source, pinned in zip(self.sources, self.pinned, strict=True):
            torch.index_select(source, 0, part, out=pinned[: len(part)])
        with torch.cuda.stream(self.stream):
            self.sent = tuple(
                pinned[: len(part)].to(self.device, non_blocking=True) for pinned in self.pinned
            )

    def received(self) -> tuple[Tensor, Tensor]:
        current = torch.cuda.current_stream(self.device)
        current.wait_stream(self.stream)
        for tensor in self.sent:
            tensor.record_stream(
                current
            )  # its memory is not given to others before this stream is done with it
        x, target = self.sent
        return x, target


def fits(size: int, device: torch.device) -> bool:
    """Tell whether so many bytes may stay on a device.

    Parameters
    ----------
    size : int
        Bytes.
    device : torch.device

    Returns
    -------
    fits : bool
        Always True for the CPU, where the data lies already.

    Examples
    --------
    >>> fits(10**15, torch.device("cpu"))
    True
    """
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return size <= SHARE * free
