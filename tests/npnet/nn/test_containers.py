import numpy as np
import pytest

from npnet import nn
from npnet.errors import DTypeError, InputError


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_names_are_those_of_torch(rng):
    torch = pytest.importorskip("torch")
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False, generator=rng),
        nn.BatchNorm2d(2),
        nn.Sequential({"norm": nn.BatchNorm2d(2, affine=False), "act": nn.ReLU()}),
        nn.Flatten(),
        nn.Linear(8, 3, generator=rng),
    )
    twin = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3, bias=False),
        torch.nn.BatchNorm2d(2),
        torch.nn.Sequential(),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 3),
    )
    twin[2].add_module("norm", torch.nn.BatchNorm2d(2, affine=False))
    twin[2].add_module("act", torch.nn.ReLU())
    assert list(model.state_dict()) == list(twin.state_dict())
    assert list(model.parameters) == [name for name, _ in twin.named_parameters()]
    assert list(model.buffers) == [name for name, _ in twin.named_buffers()]
    for name, array in model.state_dict().items():
        assert array.shape == tuple(twin.state_dict()[name].shape)


def test_layers_are_found_by_position_and_in_order(rng):
    layers = [nn.Linear(2, 2, generator=rng), nn.ReLU(), nn.Tanh()]
    model = nn.Sequential(*layers)
    assert list(model) == layers
    assert len(model) == 3
    assert model[-1] is layers[2]
    assert [name for name, _ in nn.Sequential(model, nn.Identity()).named_layers()] == [
        "",
        "0",
        "0.0",
        "0.1",
        "0.2",
        "1",
    ]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((nn.ReLU(), np.tanh), "'1' must be a layer, got numpy.ufunc"),
        ((nn.ReLU,), "'0' must be a layer, got the class ReLU"),
        (({"a.b": nn.ReLU()},), "without dots, got 'a.b'"),
        (({"": nn.ReLU()},), "non-empty"),
    ],
)
@pytest.mark.usefixtures("bare")
def test_what_is_no_layer_or_no_name_is_refused(layers, message):
    with pytest.raises(InputError, match=message):
        nn.Sequential(*layers)


# ---- errors name the place -----------------------------------------------------------------------------


@pytest.mark.usefixtures("bare")
def test_an_error_names_the_layer_it_arose_in(rng):
    model = nn.Sequential(nn.Linear(3, 4, generator=rng), nn.Linear(5, 2, generator=rng))
    expected = r"^layer '1' Linear\(5, 2\): linear: x must have 5 features"
    for run in (model, model.forward):
        with pytest.raises(InputError, match=expected):
            run(np.ones((1, 3), np.float32))
    with pytest.raises(DTypeError, match=r"^layer '0' Linear\(3, 4\): linear: weight must have the dtype"):
        model(np.ones((1, 3)))


@pytest.mark.usefixtures("bare")
def test_an_error_deep_inside_names_every_place_outermost_first(rng):
    body = nn.Sequential({"fc": nn.Linear(3, 3, generator=rng), "drop": nn.Dropout()})
    model = nn.Sequential(nn.Identity(), nn.Residual(body))
    expected = (
        r"^layer '1' Residual: layer 'body' Sequential: layer 'drop' Dropout\(\): dropout: generator must be"
    )
    with pytest.raises(InputError, match=expected):
        model.forward(np.ones((2, 3), np.float32))


@pytest.mark.usefixtures("bare")
def test_branches_of_different_shapes_are_refused_by_name(rng):
    model = nn.Sequential(nn.Residual(nn.Linear(3, 1, generator=rng)))
    for run in (model, model.forward):
        with pytest.raises(InputError, match=r"'0' Residual: Residual: .* got \(2, 1\) and \(2, 3\)"):
            run(np.ones((2, 3), np.float32))


@pytest.mark.usefixtures("bare")
def test_a_layer_that_hands_back_a_gradient_of_the_wrong_shape_is_met_where_it_arrives(rng):
    class Wrong(nn.Layer):
        def apply(self, x, *, training, generator):
            return x, lambda grad_y: grad_y[:1]

    _, backward = nn.Sequential(nn.Linear(3, 2, generator=rng), Wrong()).forward(np.ones((4, 3), np.float32))
    with pytest.raises(InputError, match=r"^layer '0' Linear\(3, 2\): linear: grad_y .*got \(1, 2\)"):
        backward(np.ones((4, 2), np.float32))


@pytest.mark.parametrize(
    "model", [nn.Sequential(), nn.Identity(), nn.Residual(nn.Identity()), nn.Residual(nn.Sequential())]
)
@pytest.mark.usefixtures("bare")
def test_an_upstream_gradient_that_does_not_fit_is_refused_even_where_nothing_is_computed(model):
    _, backward = model.forward(np.ones((2, 3)))
    with pytest.raises(InputError, match=r"grad_y must have shape \(2, 3\)"):
        backward(np.ones((1, 3)))
    with pytest.raises(DTypeError, match="grad_y must have the dtype of y"):
        backward(np.ones((2, 3), np.float32))


# ---- residual ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("needs_grad_x", [False, True])
def test_the_gradient_goes_through_both_branches(rng, projected, needs_grad_x):
    body = nn.Linear(3, 3, generator=rng, dtype=np.float64)
    shortcut = nn.Linear(3, 3, bias=False, generator=rng, dtype=np.float64) if projected else None
    x, grad_y = rng.standard_normal((2, 4, 3))
    y, backward = nn.Residual(body, shortcut).forward(x)
    grad_x, grads = backward(grad_y, needs_grad_x=needs_grad_x)
    matrix = shortcut.weight if projected else np.eye(3)
    np.testing.assert_allclose(y, body(x) + x @ matrix.T, rtol=1e-14)
    np.testing.assert_allclose(grads["body.weight"], grad_y.T @ x, rtol=1e-14)
    assert ("shortcut.weight" in grads) == projected
    if needs_grad_x:
        np.testing.assert_allclose(grad_x, grad_y @ body.weight + grad_y @ matrix, rtol=1e-14)
    else:
        assert grad_x is None


def test_a_residual_of_nothing_doubles():
    y, backward = nn.Residual(nn.Identity()).forward(np.ones(3))
    grad_y = np.arange(3.0)
    np.testing.assert_array_equal(y, 2 * np.ones(3))
    np.testing.assert_array_equal(backward(grad_y)[0], 2 * grad_y)
    np.testing.assert_array_equal(grad_y, np.arange(3.0))


def test_a_random_body_draws_from_the_generator_given_to_the_whole(rng):
    model = nn.Residual(nn.Sequential(nn.Dropout()), nn.Dropout())
    first, second = (model.forward(np.ones(100), generator=np.random.default_rng(1))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert set(np.unique(first)) == {0.0, 2.0, 4.0}  # the branches drop independently of each other
