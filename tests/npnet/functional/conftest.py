"""Comparison of one operation with PyTorch's of the same name, in float64."""

import numpy as np
import pytest

from npnet import functional as F


@pytest.fixture
def same_as_torch():
    """Return a function that compares output and gradient of x, under a random upstream gradient."""
    torch = pytest.importorskip("torch")

    def to_torch(value):
        if not isinstance(value, np.ndarray):
            return value
        value = value.astype(np.int64) if value.dtype.kind in "iu" else value.copy()
        return torch.from_numpy(value)

    def compare(operation, x, *data, rtol=1e-13, **settings):
        arrays = [a for a in (x, *data, *settings.values()) if isinstance(a, np.ndarray)]
        before = [a.copy() for a in arrays]
        y, backward = getattr(F, operation)(x, *data, **settings)
        grad_y = np.asarray(np.random.default_rng(0).standard_normal(y.shape))

        torch_x = to_torch(x).requires_grad_()
        torch_settings = {name: to_torch(value) for name, value in settings.items()}
        torch_operation = getattr(torch.nn.functional, operation)
        torch_y = torch_operation(torch_x, *map(to_torch, data), **torch_settings)
        torch_y.backward(torch.from_numpy(grad_y))

        close = {"rtol": rtol, "atol": rtol, "strict": True}
        np.testing.assert_allclose(y, torch_y.detach().numpy(), **close)
        for _ in range(2):  # backward may be called again
            np.testing.assert_allclose(backward(grad_y), torch_x.grad.numpy(), **close)
        for array, copy in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(array, copy)

    return compare
