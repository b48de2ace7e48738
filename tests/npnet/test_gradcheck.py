"""The gradient checker is itself checked: each planted mistake below must be caught, and nothing else."""

import re

import numpy as np
import pytest

from npnet import functional as F
from npnet import nn
from npnet.errors import DTypeError, InputError
from npnet.gradcheck import GradcheckError, gradcheck

rng = np.random.default_rng(0)
SQUARE = rng.standard_normal((4, 4))
OTHER = rng.standard_normal((4, 4))
VECTOR = rng.standard_normal(4)
EPS = 1e-5
kept = {}


def affine(x, weight, bias, grads):
    """Return a linear layer whose backward is the one given."""
    return x @ weight.T + bias, lambda g: grads(g, x, weight)


def transposed_weight_gradient(x, weight, bias):
    return affine(x, weight, bias, lambda g, x, w: (g @ w, x.T @ g, g.sum(0)))


def transposed_weight_in_grad_x(x, weight, bias):
    return affine(x, weight, bias, lambda g, x, w: (g @ w.T, g.T @ x, g.sum(0)))


def bias_summed_over_the_wrong_axis(x, weight, bias):
    return affine(x, weight, bias, lambda g, x, w: (g @ w, g.T @ x, g.sum(1)))


def bias_averaged_instead_of_summed(x, weight, bias):
    return affine(x, weight, bias, lambda g, x, w: (g @ w, g.T @ x, g.mean(0)))


def bias_of_the_first_row_only(x, weight, bias):
    return affine(x, weight, bias, lambda g, x, w: (g @ w, g.T @ x, g[0]))


def bias_not_summed(x, weight, bias):
    return affine(x, weight, bias, lambda g, x, w: (g @ w, g.T @ x, g))


def bias_without_gradient(x, weight, bias):
    return affine(x, weight, bias, lambda g, x, w: (g @ w, g.T @ x, None))


def gradients_in_the_wrong_order(x, weight, bias):
    return affine(x, weight, bias, lambda g, x, w: (g.T @ x, g @ w, g.sum(0)))


def one_gradient_too_few(x, weight, bias):
    return affine(x, weight, bias, lambda g, x, w: (g @ w, g.T @ x))


def one_gradient_too_many(x, weight, bias):
    return affine(x, weight, bias, lambda g, x, w: (g @ w, g.T @ x, g.sum(0), g))


def upstream_gradient_ignored(x, weight, bias):
    return affine(x, weight, bias, lambda g, x, w: (np.ones_like(g) @ w, g.T @ x, g.sum(0)))


def mean_without_its_1_over_n(x):
    return np.mean(x**2), lambda g: g * 2 * x


def sign_error(x):
    return np.tanh(x), lambda g: -g * (1 - np.tanh(x) ** 2)


def factor_2_forgotten(x):
    return x**2, lambda g: g * x


def derivative_taken_at_x_instead_of_y(x):
    return np.tanh(x), lambda g: g * (1 - x**2)


def softmax(x):
    e = np.exp(x)
    return e / e.sum(axis=1, keepdims=True)


def softmax_without_the_other_classes(x):
    y = softmax(x)
    return y, lambda g: g * y * (1 - y)


def softmax_over_the_wrong_axis(x):
    y = softmax(x)
    return y, lambda g: y * (g - (g * y).sum(axis=0))


def maximum_gradient_to_all(x):
    return x.max(axis=1), lambda g: np.repeat(g[:, None], x.shape[1], axis=1)


def mask_forgotten(x):
    return np.maximum(x, 0), lambda g: g.copy()


def dropout_not_rescaled(x):
    mask = np.random.default_rng(0).random(x.shape) < 0.5
    return x * mask / 0.5, lambda g: g * mask


def normalise(x, eps):
    centred = x - x.mean(axis=0)
    deviation = np.sqrt((centred**2).mean(axis=0) + eps)
    return centred / deviation, deviation


def norm_with_the_mean_held_constant(x):
    y, s = normalise(x, EPS)
    return y, lambda g: (g - y * (g * y).mean(axis=0)) / s


def norm_with_the_variance_held_constant(x):
    y, s = normalise(x, EPS)
    return y, lambda g: (g - g.mean(axis=0)) / s


def norm_with_epsilon_forgotten_in_backward(x):
    y, _ = normalise(x, EPS)
    _, s = normalise(x, 0)
    return y, lambda g: (g - g.mean(axis=0) - y * (g * y).mean(axis=0)) / s


def a_single_element_wrong(x):
    def backward(g):
        grad = g * np.cos(x)
        grad[2, 1] *= 1 + 1e-4
        return grad

    return np.sin(x), backward


def gradient_cut_to_float32(x):
    return x**2, lambda g: (2 * g * x).astype(np.float32)


def output_cut_to_float32(x):
    return (x**2).astype(np.float32), lambda g: 2 * g * x


def return_forgotten_in_backward(x):
    return x**2, lambda g: None


def no_backward_returned(x):
    return x**2


def backward_that_scales_its_argument(x):
    def backward(g):
        g *= 2 * x
        return g

    return x**2, backward


def forward_in_place(x):
    x *= 2
    return x.copy(), lambda g: 2 * g


def backward_that_spoils_its_closure(x):
    slope = 2 * x

    def backward(g):
        np.multiply(g, slope, out=slope)
        return slope.copy()

    return x**2, backward


def input_kept_outside_the_closure(x):
    kept["x"] = x
    return x**2, lambda g: 2 * g * kept["x"]


def unseeded_dropout(x):
    mask = rng.random(x.shape) < 0.5
    return x * mask, lambda g: g * mask


def nothing_learnt(x):
    return x**2, np.zeros_like


def logarithm_of_anything(x):
    with np.errstate(invalid="ignore"):
        return np.log(x), lambda g: g / x


def division_by_zero_in_backward(x):
    def backward(g):
        grad = 2 * g * x
        grad[0, 0] = np.inf
        return grad

    return x**2, backward


MISTAKES = {
    transposed_weight_gradient: r"input 1 'weight'.*transpose of the right.*wrong at element \(\d, \d\)",
    transposed_weight_in_grad_x: "input 0 'x'.*it is computed with the transpose of weight",
    bias_summed_over_the_wrong_axis: "input 2 'bias'.*grad_y is summed over the wrong axes",
    bias_averaged_instead_of_summed: "input 2 'bias'.* it is divided by 4, the number of samples or",
    bias_of_the_first_row_only: "input 2 'bias'.* the sum over the batch is missing",
    bias_not_summed: r"input 2 'bias' must have shape \(4,\), got \(4, 4\)\n.*sum over the batch is missing",
    bias_without_gradient: "input 2 'bias'.* wrong at element .* backward gives 0,",
    gradients_in_the_wrong_order: "input 0 'x'.* wrong at .*input 1 'weight'.* wrong at",
    one_gradient_too_few: "backward must give a gradient for each of .*, got 2",
    one_gradient_too_many: "backward must give a gradient for each of .*, got 4",
    upstream_gradient_ignored: "input 0 'x'.* it does not depend on grad_y",
    mean_without_its_1_over_n: "16 is the number of elements of x: the division by it is missing",
    sign_error: "it has the wrong sign",
    factor_2_forgotten: "it is half the right gradient: a factor of 2 is missing",
    derivative_taken_at_x_instead_of_y: "x stands in the place of y in its factor 1 − y²",
    softmax_without_the_other_classes: "only the diagonal of the Jacobian counts",
    softmax_over_the_wrong_axis: "its sum runs over axis 0 in place of axis 1",
    maximum_gradient_to_all: "where it should be 0 it is not; everywhere else it is right",
    mask_forgotten: "the gate is missing",
    dropout_not_rescaled: "it is half the right gradient: a factor of 2 is missing",
    norm_with_the_mean_held_constant: "the mean of x is taken for a constant",
    norm_with_the_variance_held_constant: "the variance over axis 0 is taken for a constant",
    norm_with_epsilon_forgotten_in_backward: "wrong at element",
    a_single_element_wrong: (
        r"it is wrong, and by none of the mistakes that are known by name; the two differ by at most .*\n"
        r"    wrong at element \(2, 1\).*\n    1 of 16 elements wrong \(6 %\): sample 2 of 0…3, feature 1 of"
    ),
    gradient_cut_to_float32: "the gradient for input 0 'x' must be float64, got float32",
    output_cut_to_float32: "f must return float64 for float64 inputs, got float32",
    return_forgotten_in_backward: "its return statement seems to be missing",
    no_backward_returned: "f must return y and backward, got ndarray",
    backward_that_scales_its_argument: "backward modifies grad_y",
    forward_in_place: "f modifies input 0 'x'",
    backward_that_spoils_its_closure: "a different gradient for input 0 'x' when called a second time",
    input_kept_outside_the_closure: "a different gradient for input 0 'x' after f has run again",
    unseeded_dropout: "f gives different outputs for the same inputs",
    nothing_learnt: "input 0 'x'.* it is 0 everywhere, as if y did not depend on x",
    logarithm_of_anything: (
        r"f gives nan at \d+ of 16 elements of y, first at \(\d, \d\); .* inputs at which it is finite"
    ),
    division_by_zero_in_backward: (
        r"backward gives inf at 1 of 16 elements of the gradient for input 0 'x', first at \(0, 0\), although"
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_is_caught(mistake):
    count = mistake.__code__.co_argcount
    inputs = (SQUARE.copy(), OTHER.copy(), VECTOR.copy())[:count]
    with pytest.raises(GradcheckError, match=f"(?s){MISTAKES[mistake]}") as caught:
        gradcheck(mistake, *inputs)
    assert caught.value.report.function == mistake.__name__
    assert not gradcheck(mistake, *inputs, raise_error=False).passed
    np.testing.assert_array_equal(inputs[0], SQUARE)  # also after an operation that modifies it


def test_the_message_gives_element_both_values_and_the_tolerance():
    with pytest.raises(AssertionError) as caught:
        gradcheck(factor_2_forgotten, np.array([1.0, 3.0]), max_elements=2)
    pattern = (
        r"wrong at element \(\d,\): backward gives (\S+), central differences give (\S+), "
        r"off by (\S+) where (\S+) is tolerated"
    )
    analytic, numerical, off, tolerated = map(float, re.search(pattern, str(caught.value)).groups())
    assert numerical == pytest.approx(2 * analytic, rel=1e-5)
    assert off == pytest.approx(abs(analytic), rel=0.05)
    assert tolerated < 1e-5


def test_inputs_drawn_from_seed_0_are_not_drawn_again_as_grad_y():
    x = np.random.default_rng(0).standard_normal((4, 4))
    with pytest.raises(GradcheckError, match="input 1 'weight'"):
        gradcheck(transposed_weight_gradient, x, OTHER, VECTOR)


# ---- right, however awkward ------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(
    ("f", "slope"),
    [
        pytest.param(lambda x: np.exp(20 * x), lambda x: 20 * np.exp(20 * x), id="steep"),
        pytest.param(lambda x: np.sin(300 * x), lambda x: 300 * np.cos(300 * x), id="curved"),
        pytest.param(lambda x: x + 1e6, np.ones_like, id="far from 0"),
        pytest.param(lambda x: 1 / (x + 1e-3), lambda x: -1 / (x + 1e-3) ** 2, id="near a pole"),
    ],
)
def test_right_gradients_pass_at_any_scale(f, slope, scale):
    x = np.random.default_rng(1).uniform(0.1, 1, (3, 2))
    gradcheck(lambda x: (scale * f(x), lambda g: g * scale * slope(x)), x)


def test_inputs_of_any_size():
    gradcheck(lambda x: (100 * np.log(x), lambda g: 100 * g / x), np.array([1e-2, 1.0, 1e8]))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (), (1,)])
def test_few_elements_or_none(shape):
    report = gradcheck(F.tanh, np.full(shape, 0.5))
    assert report.inputs[0].elements == np.prod(shape)


def test_no_elements_still_need_the_right_shape():
    with pytest.raises(GradcheckError, match=r"must have shape \(3, 0\), got \(0, 3\)"):
        gradcheck(lambda x: (x, lambda g: g.T), np.ones((3, 0)))


def test_of_many_elements_a_sample_is_taken():
    x = np.random.default_rng(2).standard_normal((30, 40))
    assert (
        "right at 20 of the 20 elements looked at, of 1200, and along 2 of 2 random directions, with an error"
    ) in str(gradcheck(F.tanh, x, max_elements=20, directions=2))
    with pytest.raises(GradcheckError, match=r"\): wrong along 3 of 3 random directions\n"):
        gradcheck(factor_2_forgotten, x, max_elements=0)


def test_losses_settings_and_absent_inputs():
    logits, labels = SQUARE, np.array([0, 3, 1, 2])
    assert [r.name for r in gradcheck(F.cross_entropy, logits, labels).inputs] == ["input 0 'x'"]
    assert [r.name for r in gradcheck(F.mse_loss, logits, OTHER).inputs] == ["input 0 'x'"]
    assert len(gradcheck(F.linear, SQUARE, OTHER).inputs) == 2
    assert len(gradcheck(F.linear, SQUARE, OTHER, None).inputs) == 2
    gradcheck(F.conv2d, SQUARE.reshape(1, 1, 4, 4), OTHER.reshape(4, 1, 2, 2), None, 2, (1, 0))


def test_derivatives_that_are_all_0_are_told():
    told = "all derivatives are 0 here"
    assert told in str(gradcheck(F.relu, -np.abs(SQUARE)))  # right, but so would be a backward of zeros
    assert told not in str(gradcheck(F.relu, np.array([1.0, -1.0])))


def test_the_report_says_what_was_looked_at():
    assert re.fullmatch(
        r"gradcheck of linear: passed\n"
        r"  input 0 'x' \(4, 4\): right at 16 of 16 elements and along 3 of 3 random directions, "
        r"with an error of at most \S+ of the tolerance\n"
        r"  input 1 'weight' \(4, 4\): right at 16 of 16 .*\n"
        r"  input 2 'bias' \(4,\): right at 4 of 4 .*",
        str(gradcheck(F.linear, SQUARE, OTHER, VECTOR)),
    )


def test_a_report_has_a_table_for_notebooks_and_a_short_repr():
    right = gradcheck(F.linear, SQUARE, OTHER, VECTOR)
    table = right._repr_html_()
    assert table.startswith("<table>")
    assert table.count("<tr>") == 1 + 3
    assert "gradcheck of linear: passed" in table
    assert "<pre>" not in table
    assert repr(right) == (
        "<GradcheckReport of linear: passed; 3 inputs and parameters: "
        "input 0 'x', input 1 'weight', input 2 'bias'>"
    )
    wrong = gradcheck(factor_2_forgotten, SQUARE, raise_error=False)
    assert "it is half the right gradient: a factor of 2 is missing" in wrong._repr_html_()
    broken = gradcheck(return_forgotten_in_backward, SQUARE, raise_error=False)
    assert "its return statement seems to be missing" in broken._repr_html_()
    assert "FAILED; backward returns None" in repr(broken)


# ---- kinks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "index"),
    [
        pytest.param(F.relu, [1.0, 0.0, -2.0], (1,), id="relu"),
        pytest.param(
            lambda x: (np.abs(x), lambda g: np.where(x < 0, -g, g)), [1.0, -2.0, 0.0], (2,), id="abs"
        ),
        pytest.param(
            lambda x: F.max_pool2d(x, (1, 2)), [[[[2.0, 1.0, 3.0, 3.0]]]], (0, 0, 0, 2), id="equal maxima"
        ),
    ],
)
def test_a_kink_is_reported_and_not_a_failure(f, x, index):
    report = gradcheck(f, np.array(x))
    assert report.passed
    assert index in [d.index for d in report.kinks["input 0 'x'"]]
    assert f"kink at element {index}: slope" in str(report)
    left_out = [d for d in report.kinks["input 0 'x'"] if d.index is not None]
    elements = np.size(x)
    assert f": right at {elements - len(left_out)} of {elements} elements" in str(report)


@pytest.mark.parametrize("distance", [1e-6, 1e-7, 1e-12])
def test_a_kink_nearby(distance):
    assert gradcheck(F.relu, np.array([1.0, distance, -distance])).passed


def test_a_kink_does_not_hide_a_wrong_gradient():
    with pytest.raises(GradcheckError, match=r"left out: 1 kink|wrong at element \(0,\)"):
        gradcheck(lambda x: (np.abs(x), lambda g: g), np.array([-1.0, 0.0]))


def test_nothing_but_kinks_is_an_error():
    with pytest.raises(GradcheckError, match="nothing could be compared, because at every place"):
        gradcheck(F.relu, np.zeros(3))


def test_curvature_is_no_kink():
    with pytest.raises(GradcheckError, match="wrong at element"):
        gradcheck(lambda x: (1e3 * x**2, lambda g: g * 1999 * x), np.array([1.0, 2.0]))


def test_the_edge_of_a_domain_is_no_kink():
    with pytest.raises(GradcheckError, match=r"wrong at element \(0,\)"):  # the slope is infinite there
        gradcheck(lambda x: (np.sqrt(x), lambda g: g), np.array([0.0, 1.0]))


def strict_odds(p, slip=1.0):
    """Refuse what is no probability; exist on one side alone at 0 and at 1."""
    if np.any(p < 0) or np.any(p > 1):
        raise InputError("p must be from 0 to 1")
    return p * (1 - p) ** 1.5, lambda g: slip * g * ((1 - p) ** 1.5 - 1.5 * p * np.sqrt(1 - p))


def test_at_the_very_edge_of_a_domain_one_side_decides():
    p = np.array([0.0, 1e-12, 0.5, 1 - 1e-9, 1.0])
    report = gradcheck(strict_odds, p)
    assert not report.kinks
    with pytest.raises(GradcheckError, match=r"wrong at element \(0,\)"):
        gradcheck(lambda p: strict_odds(p, 1.001), p)


def test_a_function_that_exists_nowhere_else_cannot_be_checked():
    def only_here(x):
        if not (x == 1).all():
            raise InputError("x must be 1")
        return x * 2, lambda g: g * 2

    with pytest.raises(GradcheckError, match="give nan, as f is not finite a small step away"):
        gradcheck(only_here, np.ones(2))


# ---- values at which mistakes hide -----------------------------------------------------------------


def layer_norm(x, weight, bias, *, slip="none"):
    centred = x - x.mean(axis=1, keepdims=True)
    s = np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPS)
    z = centred / s

    def backward(g):
        h = g if slip == "weight forgotten" else g * weight
        grad_x = (h - h.mean(axis=1, keepdims=True) - z * (h * z).mean(axis=1, keepdims=True)) / s
        if slip == "bias for weight":
            return grad_x, (g * (z + bias)).sum(0), g.sum(0)
        return grad_x, (g * z).sum(0), g.sum(0)

    return z * weight + bias, backward


class LayerNorm(nn.Layer):
    parameter_names = ("weight", "bias")

    def __init__(self, slip="none"):
        super().__init__()
        self.weight, self.bias, self.slip = np.ones(4), np.zeros(4), slip

    def apply(self, x, *, training, generator):
        y, backward = layer_norm(x, self.weight, self.bias, slip=self.slip)
        return y, lambda grad_y, needs: backward(grad_y)


class EvaluatedNorm(nn.Layer):
    """Statistics that start at 0 and 1, one of which backward forgets."""

    buffer_names = ("mean", "var")

    def __init__(self, slip):
        super().__init__()
        self.mean, self.var, self.slip = np.zeros(4), np.ones(4), slip

    def apply(self, x, *, training, generator):
        s = np.sqrt(self.var)
        return (x - self.mean) / s, lambda grad_y: grad_y / (1 if self.slip else s)


@pytest.mark.parametrize("slip", ["none", "weight forgotten", "bias for weight"])
@pytest.mark.parametrize("form", ["layer", "model", "operation"])
def test_parameters_of_ones_and_zeros_hide_no_mistake(form, slip):
    layer = LayerNorm(slip)
    arguments = {
        "layer": (layer, SQUARE),
        "model": (nn.Sequential(nn.Identity(), layer), SQUARE),
        "operation": (lambda x, w, b: layer_norm(x, w, b, slip=slip), SQUARE, np.ones(4), np.zeros(4)),
    }[form]
    report = gradcheck(*arguments, raise_error=False)
    assert report.passed == (slip == "none")
    assert report.varied
    assert "because zeros and ones hide mistakes, parameters" in str(report)
    assert (layer.weight == 1).all()
    assert (layer.bias == 0).all()
    for given, value in zip(arguments[2:], (1, 0), strict=False):
        assert (given == value).all()


@pytest.mark.parametrize("slip", [True, False])
def test_statistics_of_ones_hide_no_mistake(slip):
    layer = EvaluatedNorm(slip)
    assert gradcheck(layer, SQUARE, training=False, raise_error=False).passed != slip
    assert (layer.mean == 0).all()
    assert (layer.var == 1).all()


def test_values_that_must_stay_within_a_range_are_varied_within_it():
    assert gradcheck(F.binary_cross_entropy, np.array([0.2, 0.7]), np.ones(2)).varied
    assert gradcheck(
        lambda x, v: (x / np.sqrt(v + 0.01), lambda g: g / np.sqrt(v + 0.01)), VECTOR, np.zeros(4)
    )

    def at_zero_alone(x, shift):
        if shift.any():
            raise InputError("shift must be 0")
        return x * 2, lambda g: g * 2

    assert not gradcheck(at_zero_alone, VECTOR, np.zeros(4)).varied


def test_frozen_parameters_and_counts_stay_as_they_are():
    seen = []

    class Counting(LayerNorm):
        buffer_names = ("count",)

        def __init__(self):
            super().__init__()
            self.count = np.array(3)

        def apply(self, x, *, training, generator):
            seen.append((self.weight.copy(), self.count.copy()))
            return super().apply(x, training=training, generator=generator)

    layer = Counting()
    layer.freeze("weight")
    layer.bias[...] = 0.5
    with pytest.raises(GradcheckError, match="missing: none; not expected"):  # it ignores `needs`
        gradcheck(UngovernedNorm(layer), SQUARE)
    assert all((weight == 1).all() and count == 3 for weight, count in seen)
    assert (layer.bias == 0.5).all()


class UngovernedNorm(nn.Layer):
    """Gives gradients for frozen parameters too."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    @property
    def children(self):
        return {"inner": self.inner}

    def forward(self, x, *, training=True, generator=None):
        y, backward = self.inner.forward(x, training=training, generator=generator)

        def ungoverned(grad_y, *, needs_grad_x=True):
            grad_x, grads = backward(grad_y)
            return grad_x, {f"inner.{name}": grad for name, grad in grads.items()} | {
                "inner.weight": np.zeros(4)
            }

        return y, ungoverned


@pytest.mark.parametrize("error", [KeyError, InputError, KeyboardInterrupt])
def test_a_layer_is_left_as_it_was_also_by_an_error(error):
    class Breaking(LayerNorm):
        calls = 0

        def apply(self, x, *, training, generator):
            Breaking.calls += 1
            if Breaking.calls > 1:
                raise error("broken")
            return super().apply(x, training=training, generator=generator)

    layer = Breaking()
    with pytest.raises(error, match="broken"):
        gradcheck(layer, SQUARE)
    assert (layer.weight == 1).all()
    assert (layer.bias == 0).all()


@pytest.mark.parametrize(
    "bent",
    [
        lambda g: np.clip(g, -2.4, 2.4),
        lambda g: np.where(np.abs(g) > 2.4, 0, g),
        lambda g: g if np.linalg.norm(g) < 5 else g / 2,
    ],
)
def test_a_backward_that_is_right_for_one_upstream_alone_is_caught(bent):
    with pytest.raises(GradcheckError, match=r"backward is not linear in grad_y|wrong at"):
        gradcheck(lambda x: (x**2, lambda g: 2 * x * bent(g)), SQUARE)


def test_a_loss_that_ignores_its_upstream_is_caught():
    with pytest.raises(GradcheckError, match="wrong at element"):
        gradcheck(lambda x: (np.sum(x**2), lambda g: 2 * x), SQUARE)


# ---- layers and models -----------------------------------------------------------------------------


class Scale(nn.Layer):
    """A user's own layer; `slip` is the mistake in the gradient of its parameter."""

    parameter_names = ("scale",)
    buffer_names = ("seen",)

    def __init__(self, slip=1.0):
        super().__init__()
        self.scale, self.seen, self.slip = np.array([2.0, 3.0]), np.zeros(()), slip

    def apply(self, x, *, training, generator):
        self.seen = self.seen + len(x)
        mask = generator.random(x.shape) < 0.8

        def backward(grad_y, needs):
            return grad_y * mask * self.scale, self.slip * (grad_y * mask * x).sum(axis=0)

        return x * mask * self.scale, backward


def model(*layers):
    generator = np.random.default_rng(3)
    linear = [nn.Linear(*sizes, generator=generator, dtype=np.float64) for sizes in ((3, 2), (2, 3))]
    return nn.Sequential(linear[0], *layers, nn.ReLU(), linear[1])


def test_a_model_is_checked_in_all_parameters_and_left_as_it_was():
    m = model(Scale())
    before = m.state_dict()
    report = gradcheck(m, np.random.default_rng(4).standard_normal((5, 3)))
    names = ["0.weight", "0.bias", "1.scale", "3.weight", "3.bias"]
    assert [r.name for r in report.inputs] == ["input 0 'x'", *(f"parameter '{name}'" for name in names)]
    np.testing.assert_equal(m.state_dict(), before)


def test_a_mistake_in_a_layer_is_named():
    with pytest.raises(
        GradcheckError, match=r"(?s)first wrong backward: '1' Scale: gradient of scale: .*it is half the"
    ):
        gradcheck(model(Scale(slip=0.5)), np.random.default_rng(4).standard_normal((5, 3)))


def test_frozen_parameters_are_left_out():
    m = model()
    m.freeze("0.weight", "2")
    report = gradcheck(m, SQUARE[:, :3])
    assert [r.name for r in report.inputs] == ["input 0 'x'", "parameter '0.bias'"]


def test_a_forgotten_parameter_is_named():
    class Forgetful(Scale):
        def forward(self, x, *, training=True, generator=None):
            y, backward = super().forward(x, training=training, generator=generator)
            return y, lambda grad_y: (backward(grad_y)[0], {})

    with pytest.raises(GradcheckError, match="not frozen; missing: parameter 'scale'"):
        gradcheck(Forgetful(), SQUARE[:, :2])


# ---- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "inputs", "error", "message"),
    [
        (F.relu, [np.ones(3, np.float32)], DTypeError, "input 0 'x' must be float64, got float32; convert"),
        (F.relu, [np.ones(3, int)], InputError, "at least one input must be a float64 array"),
        (F.relu, [np.array([1.0, np.nan])], InputError, "input 0 'x' must be finite"),
        (nn.ReLU(), [SQUARE, SQUARE], InputError, "a layer must be given one array x, got 2"),
        (
            nn.Linear(4, 2, generator=np.random.default_rng(0)),
            [SQUARE],
            DTypeError,
            r"parameter 'weight' must be float64, .*layer.astype",
        ),
    ],
)
def test_what_cannot_be_checked_is_refused(f, inputs, error, message):
    with pytest.raises(error, match=message):
        gradcheck(f, *inputs, raise_error=False)


def test_an_input_without_a_gradient_is_named_as_unchecked():
    x, w = np.ones((3, 4)), np.ones((4, 2))
    report = gradcheck(lambda x, w: (x @ w, lambda grad_y: grad_y @ w.T), x, w)
    assert report.passed
    assert "input 1 'w': backward gives no gradient for it, so it was not checked" in str(report)
