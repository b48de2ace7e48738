"""A kernel of one pixel multiplies C-contiguous images as they are, and agrees with the plain form."""

import importlib

import numpy as np

from npnet import functional as F
from npnet.kernels import conv2d as kernel
from npnet.kernels import conv_pixels, thresholds
from npnet.kernels.pieces import using_executor
from npnet.kernels.window import place_window

plain = importlib.import_module("npnet.functional.conv2d")


def one_pixel():
    """Return more images than the weight gradient has parts, kernels of one pixel and a bias."""
    rng = np.random.default_rng(0)
    shapes = (2 * conv_pixels.MOST_SUMS + 3, 5, 8, 9), (6, 5, 1, 1), (6,)
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def test_kernels_of_one_pixel_leave_contiguous_images_as_they_are():
    x, weight, bias = one_pixel()
    with thresholds.using(conv_pixels=8 * 9):
        y, backward = F.conv2d(x, weight, bias)
        assert y.flags.c_contiguous
        assert backward(np.ones_like(y))[0].flags.c_contiguous
        tiny, stored_otherwise = x[:, :, :7].copy(), kernel.as_images(kernel.batch_last(x))
        for images in (tiny, stored_otherwise):
            assert F.conv2d(images, weight, bias)[0].transpose(2, 1, 3, 0).flags.c_contiguous


def assert_agree_with_the_plain_form(arrays):
    x, weight, bias, grad_y = arrays
    window = place_window("conv2d", x.shape[2:], (1, 1), (1, 1), (0, 0), (1, 1))
    y, backward = conv_pixels.conv2d(x, weight, bias)
    y_plain, backward_plain = plain._convolve(x, weight, bias, window, groups=1)
    for one, other in zip((y, *backward(grad_y)), (y_plain, *backward_plain(grad_y)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_kernels_of_one_pixel_agree_with_the_plain_form_whatever_the_order_of_the_pieces():
    x, weight, bias = one_pixel()
    grad_y = np.random.default_rng(1).standard_normal((len(x), 6, 8, 9), dtype=np.float32)
    doubles = [array.astype(np.float64) for array in (x, weight, bias, grad_y)]
    with thresholds.using(cache_bytes=2000, conv_pixels=1):
        assert_agree_with_the_plain_form(doubles)
        y, backward = F.conv2d(x, weight, bias)
        with using_executor(lambda work, pieces: [work(piece) for piece in reversed(pieces)]):
            y_reversed, backward_reversed = F.conv2d(x, weight, bias)
            grads_reversed = backward_reversed(grad_y)
        for one, other in zip((y, *backward(grad_y)), (y_reversed, *grads_reversed), strict=True):
            np.testing.assert_array_equal(one, other, strict=True)
