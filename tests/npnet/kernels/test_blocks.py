"""Large arrays, processed in blocks, give the same bits as small ones, in every layout and by any thread."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet import functional as F
from npnet.kernels import blocks, thresholds
from npnet.kernels.pieces import using_executor
from tests.examples.elementwise import ELEMENTWISE

LAYOUTS = {
    "as it is": lambda a: a,
    "transposed": lambda a: a.T.copy().T,
    "reversed": lambda a: np.flip(np.flip(a).copy()),
    "spaced": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "batch innermost": lambda a: np.moveaxis(np.moveaxis(a, 0, -1).copy(), -1, 0),
}
OPERATIONS = {
    **{f"{op.operation} {settings}": settings for op in ELEMENTWISE for settings in ({}, *op.settings)},
    "max_pool2d": {"kernel_size": 2},
    "max_pool2d, overlapping": {"kernel_size": 3, "stride": 2, "padding": 1},
    "avg_pool2d": {"kernel_size": 2},
    "avg_pool2d, overlapping": {"kernel_size": 3, "stride": 2, "padding": 1},
}


class Backwards(list):
    """An executor that runs the last piece first, and keeps all lists of pieces."""

    def __call__(self, work, pieces):
        self.append(pieces)
        for piece in reversed(pieces):
            work(piece)


def both_ways(name, x, layouts):
    operation, settings = getattr(F, name.split(",")[0].split(" ")[0]), OPERATIONS[name]
    y, backward = operation(layouts[0](x), **settings)
    grad_y = np.random.default_rng(2).integers(-9, 9, y.shape).astype(x.dtype)
    return y, backward(layouts[1](grad_y))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_blocks_give_the_bits_of_the_whole(name, layout, dtype):
    x = np.random.default_rng(1).standard_normal((5, 3, 7, 6)).astype(dtype)
    whole = both_ways(name, x, [LAYOUTS["as it is"]] * 2)
    for layouts in ([LAYOUTS[layout]] * 2, [LAYOUTS[layout], LAYOUTS["as it is"]]):
        executor = Backwards()
        with thresholds.using(block_elements=200), using_executor(executor):
            in_blocks = both_ways(name, x, layouts)
        assert len(executor) >= 1
        for one, other in zip(whole, in_blocks, strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


@given(
    hnp.array_shapes(min_dims=0, max_dims=4, max_side=6),
    st.integers(1, 10),
    st.permutations(range(4)),
    st.booleans(),
)
def test_every_element_is_worked_on_once(shape, block, order, spaced):
    axes = [axis for axis in order if axis < len(shape)]
    x, out = (np.zeros([shape[axis] for axis in axes]).transpose(np.argsort(axes)) for _ in range(2))
    if spaced:  # a view into a larger array
        out = np.zeros([size + 1 for size in shape])[(..., *map(slice, shape))]

    def add_one(x, out):
        assert spaced or x.flags.c_contiguous or np.prod(shape) <= block
        np.add(x + 1, out, out=out)

    with thresholds.using(block_elements=block):
        blocks.elementwise(add_one, x, out)
    np.testing.assert_array_equal(out, np.ones(shape))


def test_blocks_are_cut_along_the_outer_axis_in_memory():
    seen = []
    with thresholds.using(block_elements=4):
        blocks.for_image_blocks(seen.append, np.zeros((2, 3, 2, 2)))
        assert seen == [(slice(0, 1),), (slice(1, 2),)]
        seen.clear()
        blocks.for_image_blocks(seen.append, np.zeros((3, 2, 2, 2)).transpose(1, 0, 2, 3))
    assert seen == [(slice(None), slice(i, i + 1)) for i in range(3)]


def test_small_arrays_are_processed_whole():
    executor = Backwards()
    with using_executor(executor):
        for name in OPERATIONS:
            both_ways(name, np.ones((2, 3, 7, 6)), [LAYOUTS["as it is"]] * 2)
    assert not executor
