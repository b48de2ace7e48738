"""What is wrong with a gradient is told by its name: mistakes are planted in real operations."""

import ast
from pathlib import Path

import numpy as np
import pytest

import npnet
from npnet import functional as F
from npnet import nn
from npnet.gradcheck import KINDS, explain, gradcheck
from tests.npnet.planted_mistakes import PLANTED, SHAPES, X, normal

# Without the checks of shapes, which would take most of the time of these many checks.
pytestmark = pytest.mark.usefixtures("bare")


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_mistake_is_explained_by_its_name(planted):
    name, (operation, inputs) = PLANTED[planted]
    report = gradcheck(operation, *inputs, raise_error=False)
    assert not report.passed
    explained = {explanation.name: explanation for explanation in report.explanations}
    kind = planted.partition(" ")[0].removesuffix(",")
    assert explained[name].kind == kind, str(report)
    assert explained[name].sentence in str(report)
    assert explained[name].sentence in report._repr_html_().replace("&lt;", "<").replace("&#x27;", "'")


def kinds_in(path):
    """Return the kinds of findings that a module makes: what stands first in a Finding or in a table row."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    first = [
        node.args[0] if isinstance(node, ast.Call) else node.elts[0]
        for node in ast.walk(tree)
        if (isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding")
        or (isinstance(node, ast.Tuple) and len(node.elts) == 3)
    ]
    return {node.value for node in first if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_kind_is_planted_and_described():
    folder = Path(npnet.__file__).parent / "gradcheck"
    paths = [folder / "explanation.py", *(folder / "_mistakes").glob("[!_]*.py")]
    kinds = set().union(*map(kinds_in, paths))
    assert len(kinds) >= 50
    assert kinds == set(KINDS)
    planted = {name.partition(" ")[0].removesuffix(",") for name in (*PLANTED, *SHAPES)}
    assert kinds - planted == {
        "ties"
    }  # which has tests of its own, as central differences tell nothing there


# ---- gradients of another shape ------------------------------------------------------------------------


@pytest.mark.parametrize("planted", SHAPES)
def test_a_gradient_of_a_wrong_shape_is_explained(planted):
    name, (operation, inputs) = SHAPES[planted]
    report = gradcheck(operation, *inputs, raise_error=False)
    (explanation,) = report.explanations
    assert (explanation.name, explanation.kind) == (name, planted.partition(" ")[0]), str(report)
    assert "must have shape" in report.problem
    assert explanation.sentence in str(report)


class NotSummed(nn.Layer):
    parameter_names = ("scale", "shift")

    def __init__(self):
        super().__init__()
        self.scale, self.shift = np.array([2.0, 3.0]), np.array([0.5, 0.25])

    def apply(self, x, *, training, generator):
        return self.scale * x + self.shift, lambda grad_y, needs: (grad_y * self.scale, grad_y * x, grad_y)


def test_several_gradients_of_a_wrong_shape_are_all_explained():
    report = gradcheck(NotSummed(), np.random.default_rng(0).standard_normal((4, 2)), raise_error=False)
    found = [(each.name, each.sentence) for each in report.explanations]
    assert found == [(name, "the sum over the batch is missing") for name in ("scale", "shift")]


def test_a_gate_of_the_upstream_gradient_is_not_taken_for_one_of_the_input():
    def wrong(x):
        return np.maximum(x, 0), lambda grad_y: np.where(grad_y > 0, grad_y, 0)

    report = gradcheck(wrong, np.array([-2.0, -0.5, 0.3, 1.0, 4.0]), raise_error=False)
    assert report.explanations[0].kind == "unknown", str(report)


def test_a_gradient_that_is_added_to_the_one_before_is_told():
    kept = []

    def accumulating(x):
        def backward(grad_y):
            kept.append(2 * x * grad_y)
            return np.sum(kept[-2:], axis=0)

        return x**2, backward

    report = gradcheck(accumulating, X, raise_error=False)
    assert "twice the first: it adds up" in report.problem


# ---- no guesses ------------------------------------------------------------------------------------------


def test_an_error_of_no_known_kind_is_not_guessed_at():
    rng = np.random.default_rng(3)
    for planted in (
        "sign",
        "gate_missing",
        "diagonal",
        "overwritten",
        "target_missing",
        "statistics_constant",
    ):
        operation, inputs = PLANTED[planted][1]
        noise = rng.standard_normal(inputs[0].shape)
        right = spoiled_back(operation, noise)
        report = gradcheck(right, *inputs, raise_error=False)
        assert report.explanations[0].kind == "unknown", str(report)
        assert "it is wrong, and by none of the mistakes that are known by name" in str(report)


def spoiled_back(operation, noise):
    """Return an operation whose grad_x is mixed with noise, linear in grad_y all the same."""

    def wrong(*inputs):
        y, backward = operation(*inputs)

        def wrong_backward(grad_y):
            found = backward(grad_y)
            grad_x, *others = found if isinstance(found, tuple) else (found,)
            return (grad_x + noise * float(np.sum(grad_y)), *others)

        return y, wrong_backward

    return wrong


def test_where_nothing_fits_the_place_of_the_error_is_described():
    rng = np.random.default_rng(4)
    expected = rng.standard_normal((6, 3, 8, 8))
    got = expected.copy()
    got[2:4, 1] += rng.standard_normal((2, 8, 8))
    explanation = explain(got, expected, x=np.ones(expected.shape))
    assert explanation.kind == "one_slice"
    assert "one channel, 1 of 0…2" in explanation.sentence
    assert explanation.where == "128 of 1152 elements wrong (11 %): samples 2, 3 of 0…5, channel 1 of 0…2"
    got[4, 2, 3:, 0] += 1
    explanation = explain(got, expected)
    assert explanation.kind == "unknown"
    assert "samples 2, 3, 4 of 0…5, channels 1, 2 of 0…2" in explanation.where


def test_an_error_hardly_larger_than_rounding_is_not_explained():
    expected = normal(5, 4)
    explanation = explain(expected * (1 + 3e-5), expected)
    assert explanation.kind == "unknown"
    assert "the two differ by at most 3e-05 of the largest value" in explanation.sentence


def test_a_right_gradient_is_right():
    expected = normal(5, 4)
    explanation = explain(expected * (1 + 1e-12), expected)
    assert (explanation.kind, explanation.where, explanation.findings) == ("right", "", ())
    assert str(explanation) == "gradient of x (5, 4): it is right"


def test_values_that_are_not_finite_are_told():
    got = normal(5, 4)
    expected = got.copy()
    got[4] = np.nan
    explanation = explain(got, expected)
    assert explanation.kind == "unknown"
    assert explanation.where == "4 of 20 elements not finite (20 %): sample 4 of 0…4"


# ---- ties, which central differences cannot tell ----------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 2, 4, 4), (3, 6)])
def test_right_except_at_ties(shape):
    x = np.random.default_rng(5).standard_normal(shape)
    x[..., 0] = x[..., 1] = 3.0
    if len(shape) == 4:
        y, backward = F.max_pool2d(x, 2)
        grad_y = normal(*y.shape)
        every = np.repeat(np.repeat(grad_y, 2, 2), 2, 3) * (x == np.repeat(np.repeat(y, 2, 2), 2, 3))
    else:
        y, grad_y = x.max(axis=1), normal(3)
        backward = lambda g: g[:, None] * (np.arange(6) == 0)  # noqa: E731 - the first maximum takes all
        every = grad_y[:, None] * (x == y[:, None])
    explanation = explain(every, backward(grad_y), x=x, grad_y=grad_y)
    assert explanation.kind == "ties"
    assert explanation.sentence == "it is right except at ties, where two inputs are equal"
    ties = np.zeros(shape, bool)
    ties[..., :2] = True
    np.testing.assert_array_equal(explanation.ties, ties)
    if len(shape) == 2:  # the first takes all, and the second must not have any
        rows = [row.strip() for row in explanation.heat_map().splitlines()[1:-1]]
        assert {(row[0], row[2:]) for row in rows} == {("=", "····")}
        assert not {row[1] for row in rows} & set("=·")
        assert explanation.heat_map().endswith("= right, at a tie or kink")


def test_right_except_at_the_kink():
    x = np.array([[1.0, 0.0, -2.0], [0.0, 3.0, -1.0]])
    grad_y = normal(2, 3)
    explanation = explain(grad_y * (x >= 0), grad_y * (x > 0), x=x, grad_y=grad_y)
    assert (
        explanation.sentence.startswith("it is right except at the kink")
        or explanation.kind == "gate_missing"
    )


# ---- what is known of the step is not needed -----------------------------------------------------------


@pytest.mark.parametrize(
    ("mistake", "kind"),
    [
        (lambda grad: grad.T, "transposed"),
        (lambda grad: -grad, "sign"),
        (lambda grad: grad / 4, "factor"),
        (lambda grad: np.roll(grad, 1, 0), "shifted"),
        (lambda grad: grad[::-1], "flipped"),
    ],
)
def test_two_arrays_are_enough(mistake, kind):
    expected = normal(4, 4)
    assert explain(mistake(expected), expected, name="weight").kind == kind


def test_of_large_inputs_a_sample_is_enough():
    weight = normal(60, 60)

    def wrong(x, weight):
        return x @ weight.T, lambda g: (g @ weight, x.T @ g)

    report = gradcheck(wrong, normal(7, 60), weight, raise_error=False)
    (explanation,) = report.explanations
    assert explanation.kind == "transposed"
    assert "100 elements looked at" in explanation.where
    assert np.isnan(explanation.expected).sum() == 3600 - 100
