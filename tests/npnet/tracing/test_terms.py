"""The terms of an element add up to what the array holds, for every operation."""

import numpy as np
import pytest

import npnet
from npnet.errors import InputError
from npnet.tracing.sums import label
from tests.npnet.tracing.traced_models import MODELS

SAMPLES = 12  # elements looked at of each array
UNITS = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): 2.0**-53}


def tolerance(written, array):
    """The rounding of a sum of n products of rounded factors in the array's precision, and its own."""
    size = sum(abs(value) for value in written.values)
    return (len(written.terms) + 24) * UNITS[array.dtype] * (size + 1e-6 * np.abs(array).max())


@pytest.mark.parametrize("name", MODELS)
def test_terms_add_up_to_every_output_and_gradient(traced, name):
    trace = traced(name)
    assert not trace.error
    rng = np.random.default_rng(2)
    for operation in trace:
        assert operation.kind, operation
        for result in operation.equations:
            array = operation[result]
            for place in rng.choice(array.size, min(SAMPLES, array.size), replace=False):
                index = tuple(map(int, np.unravel_index(place, array.shape))) if array.ndim else ()
                written = trace.sum(operation.name, result, index)
                wrong = f"{operation.name} {operation.layer}\n{written}"
                if np.isnan(array[index]):
                    assert np.isnan(written.total), wrong
                else:
                    assert abs(written.total - float(array[index])) <= tolerance(written, array), wrong


def test_every_kind_of_operation_is_among_them(traced):
    from npnet.tracing._kinds import EQUATIONS

    kinds = {operation.kind for name in MODELS for operation in traced(name)}
    assert kinds == set(EQUATIONS)


def test_every_factor_is_the_element_it_names(traced):
    trace = traced("images")
    for operation in trace:
        for result in operation.equations:
            array = operation[result]
            index = tuple(size // 2 for size in array.shape)
            for term in trace.sum(operation.name, result, index).terms:
                for factor in term:
                    if factor.label == label(factor.tensor, factor.index):
                        assert factor.value == float(operation[factor.tensor][factor.index])


def test_ties_and_kinks_are_told(traced):
    trace = traced("ties")
    notes = {
        trace.sum(name, result, index).note.partition(":")[0]
        for name, result in (("0", "grad_x"), ("1", "y"), ("1", "grad_x"))
        for index in np.ndindex(trace[name][result].shape)
    }
    assert {"a kink", "a tie", "x < 0"} <= notes


def test_softmax_and_cross_entropy_come_to_p_minus_t(traced):
    trace = traced("mlp")
    written = trace.sum("loss", "grad_x", (1, 2))
    assert [factor.label for factor in written.terms[0]] == ["grad_y", "1/m", "p[1,2]"]
    assert [factor.label for factor in written.terms[1]] == ["grad_y", "1/m", "−1", "q[1,2]"]
    assert written.terms[1][-1].value == 1  # the label of sample 1


def test_a_wrong_backward_shows_in_its_sum():
    """A layer that extends one of npnet's is held to that one's equations."""
    from npnet import nn

    class Transposed(nn.Tanh):
        def apply(self, x, *, training, generator):
            y, _ = super().apply(x, training=training, generator=generator)
            return y, lambda grad_y: grad_y * (1 - y)

    model = nn.Sequential(Transposed())
    x = np.array([[0.5, -0.5]])
    written = npnet.trace(model, nn.MSELoss(), x, np.zeros((1, 2))).sum("0", "grad_x", (0, 0))
    assert abs(written.total - written.element) > 0.1 * abs(written.element)


def test_the_optimizers_step_is_written_out(traced):
    trace = traced("mlp")
    written = trace.sum("0", "new_weight", (1, 2))
    assert str(written).splitlines()[1].split("=")[0].strip() == "weight[1,2]"
    assert [factor.label for factor in written.terms[1]] == ["the step of SGD(lr=0.1)"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("9", "y", (0, 0)), "name must be that of an operation"),
        (("0", "grad_z", (0, 0)), "name must be that of one of its arrays"),
        (("0", "weight", (0, 0)), "name must be one with an equation"),
        (("0", "y", (0, 99)), r"index must be one of an array of shape \(4, 6\)"),
        (("0", "y", (0,)), "index must be"),
        (("0", "y", "no"), "index must be"),
    ],
)
def test_wrong_questions_get_one_clear_message(bare, traced, arguments, message):
    with pytest.raises(InputError, match=message):
        traced("mlp").sum(*arguments)
