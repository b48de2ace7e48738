"""The sizes at which one form of a computation takes over from another, all in one place.

They were measured on x86-64 processors with AVX2 or AVX-512 and NumPy's OpenBLAS. A kernel reads
``thresholds.current`` at each call, so that a test can make every kernel run on small arrays::

    with thresholds.using(block_elements=100):
        ...

Changing a threshold changes the order of some sums, and with it the last digits of a result. The number of
threads never does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

__all__ = ()  # for npnet itself, not for users


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Sizes at which a faster form is used, and sizes of the pieces that work is cut into.

    Parameters
    ----------
    block_elements : int
        Largest array that an elementwise operation processes in one block. A block of this size is worth
        a thread's time: a few NumPy calls on it take longer than handing it over.
    cache_bytes : int
        Intermediate results of one block, in bytes: about the size of one core's L2 cache.
    matmul_piece : int
        Multiply-adds that make pieces of a matrix product worthwhile. BLAS prepares the operand that all
        pieces share in each of them, so twice as many pieces need four times the work: count² ·
        matmul_piece multiply-adds.
    matmul_long_sum : int
        Longest sum that one float32 product computes. A longer one is cut into parts of a quarter of this
        length, which are added in float64.
    matmul_side : int
        Fewest rows or columns in a piece of such a long product: BLAS prepares the other operand for each
        piece anew.
    sum_short : int
        Most float32 numbers that are added one after another.
    sum_halved : int
        Most rows that are added by halving, which takes half the time of converting them to float64.
    sum_block : int
        Numbers converted to float64 at a time; they fit into the cache.
    sum_pixels : int
        Most float32 pixels that adaptive average-pooling sums in float32.
    softmax_short : int
        Longest class axis that is moved to the front in memory, so that sums run over whole rows.
    softmax_wide : int
        Longest row of exponentials that are added in float32.
    conv_product : int
        Most multiply-adds in one product of a convolution. Up to about this size OpenBLAS multiplies without
        first copying ("packing") its operands, which would cost thin matrices more than the product.
    conv_piece : int
        Multiply-adds that are worth a thread's time in a convolution.
    conv_pieces : int
        Most pieces that a convolution is cut into so that every thread has one.
    conv_results : int
        Most elements in the result of one product A Bᵀ, which OpenBLAS computes quickly only when it is
        small.
    conv_few_weights : int
        Most weights of a kernel that is applied in one product: a product within `conv_product` then
        still covers 256 positions.
    conv_pixels : int
        Fewest pixels of an image that make a product of its own worthwhile where kernels have one pixel.
    conv_joined : int
        Weights for each position of the kernel that make one product for all images worthwhile.
    batch_norm_elements : int
        Largest array that batch normalization leaves to its plain form.
    batch_norm_run : int
        Fewest pixels of one channel that must be contiguous in memory for the batch-norm kernel.
    batch_norm_part : int
        Most pixels that one dot product of the batch-norm kernel sums in float32.
    update_block : int
        Elements of a parameter that are updated at a time. An update rule makes about ten passes over its
        arrays; a block of each stays in the cache for all of them. Also about 0.1 ms of work for a thread.
    update_small : int
        Largest parameter that is updated together with others: copying it costs less than one NumPy call.
    shard_samples : int
        Fewest samples in a shard of a training step over threads.
    shard_work : int
        Multiply-adds that make sharding worthwhile. Python's interpreter works on one shard at a time, and
        the time it takes grows with the number of shards while the work in each shrinks. So twice as many
        shards need four times the work: count² · shard_work multiply-adds in the forward pass.
    shard_work_per_parameter : int
        Multiply-adds for each parameter that make sharding worthwhile: the gradients of all shards are
        summed, which is one addition for each parameter, but in main memory.
    """

    block_elements: int = 512 * 1024
    cache_bytes: int = 1024 * 1024
    matmul_piece: int = 8_000_000
    matmul_long_sum: int = 4 * 1024
    matmul_side: int = 128
    sum_short: int = 32
    sum_halved: int = 512
    sum_block: int = 64 * 1024
    sum_pixels: int = 64
    softmax_short: int = 64
    softmax_wide: int = 4096
    conv_product: int = 1_000_000
    conv_piece: int = 8_000_000
    conv_pieces: int = 8
    conv_results: int = 32 * 32
    conv_few_weights: int = 1_000_000 // 256
    conv_pixels: int = 256
    conv_joined: int = 64
    batch_norm_elements: int = 32 * 1024
    batch_norm_run: int = 16
    batch_norm_part: int = 4096
    update_block: int = 262_144
    update_small: int = 4096
    shard_samples: int = 16
    shard_work: int = 8_000_000
    shard_work_per_parameter: int = 128


current = Thresholds()


@contextmanager
def using(**changes: int) -> Iterator[Thresholds]:
    """Use other thresholds inside a ``with`` block, in all threads.

    Examples
    --------
    >>> from npnet.kernels import thresholds
    >>> with thresholds.using(update_block=16):
    ...     thresholds.current.update_block
    16
    >>> thresholds.current == thresholds.Thresholds()
    True
    """
    global current  # noqa: PLW0603 - one value for the whole process, its threads included
    before = current
    current = replace(before, **changes)
    try:
        yield current
    finally:
        current = before
