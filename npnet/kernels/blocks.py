"""Cache blocking: large arrays are processed in blocks that stay in the processor's cache.

A NumPy call finds its operands in the cache if the call before it left them there, which needs a block of
limited size. Threads may share the blocks. A small array is processed whole, because a block costs more than
it saves there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from numpy import ndarray

from npnet.kernels import thresholds
from npnet.kernels.pieces import equal_slices, run_pieces, slices_of
from npnet.shapes import Float

__all__ = ()  # for npnet itself, not for users

Part = tuple[slice, ...]


def fits_cache(count: int, bytes_each: int, work_each: int = 0) -> list[slice]:
    """Cut a range into blocks whose intermediate results fit into the cache.

    Much work, in multiply-adds, is cut into more blocks, so that there is something for every thread.

    Examples
    --------
    >>> fits_cache(5, thresholds.current.cache_bytes // 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    >>> fits_cache(4, 1, thresholds.current.conv_piece // 2)
    [slice(0, 2, None), slice(2, 4, None)]
    """
    limits = thresholds.current
    length = max(1, limits.cache_bytes // max(1, bytes_each))
    worth_sharing = min(count, count * work_each // limits.conv_piece, limits.conv_pieces)
    return slices_of(count, min(length, -(-count // max(1, worth_sharing))))


@cache
def divisor(number: int, limit: int) -> int:
    """Return the largest divisor of a number that is at most `limit`, and at least 1.

    Examples
    --------
    >>> divisor(28, 10), divisor(13, 10)
    (7, 1)
    """
    return next((part for part in range(min(number, limit), 1, -1) if number % part == 0), 1)


def is_small(x: ndarray, effort: int = 1) -> bool:
    """Say whether an array is small enough to be processed whole."""
    return x.size * effort <= thresholds.current.block_elements


def order_in_memory(x: ndarray) -> list[int]:
    """Return the axes of an array from the outermost to the innermost in memory."""
    return sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))


def elementwise(function: Callable[..., object], *arrays: ndarray, effort: int = 1) -> None:
    """Call a function that fills its last arrays element by element from the others, block by block.

    All arrays have one shape. Blocks are contiguous in the last array's memory. `effort` divides the size
    of a block, for functions that take longer than a few additions.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.arange(3.0), np.empty(3)
    >>> elementwise(lambda x, y: np.add(x * x, 1, out=y), x, y)
    >>> y
    array([1., 2., 5.])
    """
    if is_small(arrays[-1], effort):
        function(*arrays)
        return
    order = order_in_memory(arrays[-1])
    reordered = [array.transpose(order) for array in arrays]
    if all(array.flags.c_contiguous for array in reordered):
        reordered = [array.reshape(-1) for array in reordered]
    length = len(reordered[0])
    count = min(length, -(-arrays[-1].size * effort // thresholds.current.block_elements))
    run_pieces(lambda piece: function(*(array[piece] for array in reordered)), equal_slices(length, count))


def for_image_blocks(work: Callable[[Part], object], x: Float[ndarray, "n c h w"]) -> None:
    """Call a function with the index of each block of images, or of each block of channels.

    Blocks run along whichever of the two axes is the outer one in memory, so that a block is contiguous. Few
    images are one block, with the empty index ``()``.

    Examples
    --------
    >>> import numpy as np
    >>> for_image_blocks(print, np.zeros((5, 1, 1, 1)))
    ()
    """
    if is_small(x):
        work(())
        return
    axis = 0 if x.strides[0] >= x.strides[1] else 1
    blocks = image_blocks(x.shape[axis], x.size)
    run_pieces(lambda block: work((slice(None),) * axis + (block,)), blocks)


def image_blocks(count: int, pixels: int) -> list[slice]:
    """Cut a number of images, which have this many pixels in total, into blocks.

    Examples
    --------
    >>> image_blocks(5, 2 * thresholds.current.block_elements)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return slices_of(count, max(1, thresholds.current.block_elements * count // max(1, pixels)))
