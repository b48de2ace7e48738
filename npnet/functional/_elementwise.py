"""Large arrays in blocks, for what concerns each element, or each channel of each image, on its own.

What one NumPy call leaves of a block is still in a cache when the next one asks for it, and threads may share
the blocks. Small arrays are worked on whole: then a block would cost more than it saves.
"""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from numpy import ndarray

from npnet._spread import evenly, in_blocks, spread

# Elements of a block at most: beside what a few NumPy calls take for so many, handing it on is little.
BLOCK = 512 * 1024

Part = tuple[slice, ...]


def few(x: ndarray, effort: int = 1) -> bool:
    """Say whether an array has so few elements that it is worked on whole."""
    return x.size * effort <= BLOCK


def order_in_memory(x: ndarray) -> list[int]:
    """Return the axes of an array in the order in which they stand in memory."""
    return sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))


def elementwise(function: Callable[..., object], *arrays: ndarray, effort: int = 1) -> None:
    """Call a function that fills its last arrays element by element from the others, all of one shape.

    Blocks are cut in the order in which the last array stands in memory; so many times smaller ones where the
    function takes more effort than a few additions.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.arange(3.0), np.empty(3)
    >>> elementwise(lambda x, y: np.add(x * x, 1, out=y), x, y)
    >>> y
    array([1., 2., 5.])
    """
    if few(arrays[-1], effort):
        function(*arrays)
        return
    order = order_in_memory(arrays[-1])
    turned = [array.transpose(order) for array in arrays]
    if all(array.flags.c_contiguous for array in turned):
        turned = [array.reshape(-1) for array in turned]
    length = len(turned[0])
    pieces = evenly(length, min(length, -(-arrays[-1].size * effort // BLOCK)))
    spread(lambda piece: function(*(array[piece] for array in turned)), pieces)


def over_images(work: Callable[[Part], object], x: Float[ndarray, "n c h w"]) -> None:
    """Call a function with the indices of some images, or of some channels of all images, until all are done.

    Of the two it is whichever are further from each other in memory, so that a block stands together. Few
    images are all given at once, by no index at all.

    Examples
    --------
    >>> import numpy as np
    >>> over_images(print, np.zeros((5, 1, 1, 1)))
    ()
    """
    if few(x):
        work(())
        return
    axis = 0 if x.strides[0] >= x.strides[1] else 1
    spread(lambda some: work((slice(None),) * axis + (some,)), image_blocks(x.shape[axis], x.size))


def image_blocks(count: int, pixels: int) -> list[slice]:
    """Cut a number of images, of so many pixels in all, into blocks.

    Examples
    --------
    >>> image_blocks(5, 2 * BLOCK)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return in_blocks(count, max(1, BLOCK * count // max(1, pixels)))
