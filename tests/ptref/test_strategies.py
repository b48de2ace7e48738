import inspect
import re

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

pytest.importorskip("torch")

from npnet import functional as F
from npnet.errors import InputError
from ptref import draw, operations, strategies
from ptref.parity import assert_parity

SEARCH = settings(max_examples=3000, database=None, phases=[Phase.generate])


def reachable(strategy, condition):
    return find(strategy, condition, settings=SEARCH)


# ---- arrays --------------------------------------------------------------------------------------------


@given(strategies.arrays("n c h"))
def test_axes_are_as_asked_for(x):
    assert x.ndim == 3
    assert 0 <= x.shape[0] <= 5
    assert min(x.shape[1:]) >= 1
    assert x.dtype in (np.float32, np.float64)
    assert np.isfinite(x).all()


@pytest.mark.parametrize("values", draw.VALUES)
@given(layout=strategies.layouts(), dtype=strategies.dtypes(), seed=strategies.seeds())
def test_an_array_follows_from_its_seed_however_it_is_laid_out(values, layout, dtype, seed):
    plain = draw.make_array((3, 4), dtype, values, "contiguous", seed)
    x = draw.make_array((3, 4), dtype, values, layout, seed)
    np.testing.assert_array_equal(x, plain, strict=True)


def test_layouts_are_what_they_are_called():
    made = {layout: draw.make_array((3, 4), np.float64, "ordinary", layout, 0) for layout in draw.LAYOUTS}
    assert made["contiguous"].flags.c_contiguous
    assert made["reversed"].strides == (-32, -8)
    assert made["strided"].strides == (64, 16)
    assert made["transposed"].flags.f_contiguous
    assert not made["transposed"].flags.c_contiguous
    assert [layout for layout, x in made.items() if not x.flags.writeable] == ["read-only"]


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        (lambda x: x.size > 1 and (x == x.max()).sum() > 1, None),
        (lambda x: bool(((x == 0) & np.signbit(x)).any()), None),
        (lambda x: bool((abs(x) > 1000).any()), None),
        (lambda x: x.size > 0 and bool((abs(x) < 1e-10).all() and (x != 0).all()), None),
        (lambda x: x.shape[0] == 0, None),
        (lambda x: x.shape[0] == 1, None),
        (lambda x: bool((x == np.inf).any()), strategies.values(finite=False)),
        (lambda x: bool((x == -np.inf).any()), strategies.values(finite=False)),
        (lambda x: bool(np.isnan(x).any()), strategies.values(finite=False)),
        (lambda x: x.size > 1 and min(x.strides) < 0, None),
        (lambda x: x.size > 3 and not (x.flags.c_contiguous or x.flags.f_contiguous), None),
    ],
)
def test_what_breaks_layers_is_drawn(condition, values):
    assert condition(reachable(strategies.arrays("n c", values=values), condition))


def test_failures_shrink_to_the_smallest_shape_the_plainest_values_and_the_first_seed():
    def large(x):
        return x.shape[0] >= 2 and x.shape[1] >= 3

    x = find(strategies.arrays("n c"), large, settings=settings(database=None))
    assert x.shape == (2, 3)
    np.testing.assert_array_equal(x, draw.make_array((2, 3), np.float32, "ordinary", "contiguous", 0))


@given(strategies.labels((4, 2), classes=3))
def test_labels_are_labels(target):
    assert target.shape == (4, 2)
    assert target.dtype.kind == "i"
    assert 0 <= target.min() <= target.max() < 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: strategies.arrays("n", values="odd"), "values must be one of ordinary"),
        (lambda: strategies.arrays("n", layout="odd"), "layout must be one of contiguous"),
        (lambda: strategies.shapes("n c", least=3, most=2), "most must be an integer of at least 3, got 2"),
        (lambda: strategies.cases("conv9d"), "nothing named 'conv9d' .* conv2d"),
        (lambda: draw.make_array((1,), np.float32, "odd", "contiguous", 0), "values must be one of"),
        (lambda: draw.make_array((1,), np.float32, "nan", "odd", 0), "layout must be one of"),
    ],
)
def test_what_is_unknown_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


# ---- cases ---------------------------------------------------------------------------------------------


@given(strategies.convolutions())
def test_every_convolution_drawn_can_be_computed(drawn):
    x_shape, weight_shape, options = drawn
    y, _ = F.conv2d(np.ones(x_shape), np.ones(weight_shape), **options)
    assert y.shape[-3] == weight_shape[0]


@given(strategies.poolings())
def test_every_pooling_drawn_can_be_computed(drawn):
    shape, options = drawn
    y, _ = F.max_pool2d(np.ones(shape), **options)
    assert np.isfinite(y).all()  # each window covers a pixel


@pytest.mark.parametrize(
    "condition",
    [
        lambda drawn: drawn[2]["padding"] == "same" and drawn[2]["dilation"] == 2,
        lambda drawn: drawn[2]["padding"] == "valid",
        lambda drawn: (
            isinstance(drawn[2]["padding"], tuple) and drawn[2]["padding"][0] != drawn[2]["padding"][1]
        ),
        lambda drawn: (
            isinstance(drawn[2]["stride"], tuple) and drawn[2]["stride"][0] != drawn[2]["stride"][1]
        ),
        lambda drawn: drawn[2]["groups"] == 3 and drawn[1][0] > 3,
        lambda drawn: drawn[2]["stride"] == 3 and drawn[2]["dilation"] == 2,
        lambda drawn: len(drawn[0]) == 3,
        lambda drawn: drawn[0][0] == 0,
    ],
)
def test_every_option_of_a_convolution_is_drawn(condition):
    assert condition(reachable(strategies.convolutions(), condition))


@pytest.mark.parametrize(
    "condition",
    [
        lambda drawn: drawn[1]["ceil_mode"],
        lambda drawn: "stride" not in drawn[1],
        lambda drawn: drawn[1]["padding"] == (2, 0),
        lambda drawn: drawn[1]["dilation"] == 3 and drawn[1]["kernel_size"] == 2,
    ],
)
def test_every_option_of_a_pooling_is_drawn(condition):
    assert condition(reachable(strategies.poolings(), condition))


@pytest.mark.parametrize("row", operations.OPERATIONS, ids=[row.name for row in operations.OPERATIONS])
def test_cases_keep_the_dtype_asked_for(row):
    for i, dtype in enumerate(2 * draw.DTYPES):
        case = row.draw(draw.Seeded(np.random.default_rng(i)), dtype)
        assert {x.dtype for x in case.inputs if x is not None and x.dtype.kind == "f"} == {dtype}


def test_nothing_is_filtered_away():
    source = inspect.getsource(draw) + inspect.getsource(operations) + inspect.getsource(strategies)
    assert "assume(" not in source
    assert ".filter(" not in source


# ---- five lines of a user's ----------------------------------------------------------------------------


def softsign(x):
    size = 1 + np.abs(x)
    return x / size, lambda grad_y: grad_y / size**2


def wrong_softsign(x):
    size = 1 + x
    return x / (1 + np.abs(x)), lambda grad_y: grad_y / size**2


def run_five_lines(operation):
    import torch

    @settings(database=None)
    @given(strategies.arrays("n c"), strategies.seeds())
    def test_layer(x, seed):
        assert_parity(operation, torch.nn.functional.softsign, x, seed=seed, layouts=False)

    test_layer()


def test_five_lines_pass_a_layer_that_is_right():
    run_five_lines(softsign)


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_five_lines_find_what_is_wrong_with_a_layer():
    with pytest.raises(AssertionError, match=r"grad_x\[") as caught:
        run_five_lines(wrong_softsign)
    assert re.search(r"x \(1, [12]\) float", str(caught.value))  # shrunk to a number or two


@given(st.data())
def test_choices_of_hypothesis_stay_within_their_limits(data):
    low, high = sorted(data.draw(st.tuples(st.integers(-9, 9), st.integers(-9, 9))))
    number = data.draw(strategies.chosen(lambda choose: choose.integer(low, high)))
    assert low <= number <= high


def test_seeded_choices_are_the_seeds():
    def drawn(seed):
        choose = draw.Seeded(np.random.default_rng(seed))
        return [choose.integer(0, 9) for _ in range(20)], choose.choice("abc"), choose.seed()

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert set(drawn(3)[0]) <= set(range(10))


def test_an_impossible_wish_is_not_granted():
    with pytest.raises(NoSuchExample):
        find(
            strategies.arrays("n c"), lambda x: x.ndim != 2, settings=settings(max_examples=50, database=None)
        )


@given(strategies.shapes("n 4 c"))
def test_a_number_is_an_axis_of_that_size(shape):
    assert (len(shape), shape[1]) == (3, 4)
