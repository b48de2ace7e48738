"""PyTorch's gradients of a traced step are those of npnet, up to rounding."""

import numpy as np
import pytest

import npnet
from npnet import nn
from npnet.errors import InputError
from ptref.trace import gradients
from tests.npnet.tracing.traced_models import MODELS


@pytest.mark.parametrize("name", MODELS)
def test_every_gradient_has_pytorchs_beside_it(name):
    model, loss, x, target = MODELS[name](np.random.default_rng(0))
    trace = npnet.trace(model, loss, x, target, generator=np.random.default_rng(1), reference=gradients)
    assert trace.reference.startswith("PyTorch ")
    for operation in trace:
        for key, own in operation.gradients.items():
            if operation.kind == "split" and key != "grad_x":
                continue
            other = trace.references[operation.name, key]
            assert other.shape == own.shape
            np.testing.assert_allclose(other, own, rtol=1e-4, atol=1e-6 * max(1, np.abs(own).max()))


def test_a_layer_without_a_module_is_gone_around():
    class Doubled(nn.Layer):
        def apply(self, x, *, training, generator):
            return 2 * x, lambda grad_y: 3 * grad_y  # wrong, and not to be laid to others

    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(3, 4, generator=rng), Doubled(), nn.Linear(4, 2, generator=rng))
    x, target = rng.normal(size=(2, 3)).astype(np.float32), np.array([0, 1])
    trace = npnet.trace(model, nn.CrossEntropyLoss(), x, target, reference=gradients)
    assert ("1", "grad_x") not in trace.references
    for name in ("0", "2"):
        for key, own in trace[name].gradients.items():
            np.testing.assert_allclose(trace.references[name, key], own, rtol=1e-4, atol=1e-6)


def test_something_else_than_a_trace_is_refused(bare):
    with pytest.raises(InputError, match="trace must be what"):
        gradients("trace", {})
