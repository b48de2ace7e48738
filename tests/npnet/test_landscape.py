"""The loss around a model's weights."""

import numpy as np
import pytest

from npnet import nn, plot
from npnet.errors import InputError
from npnet.train.landscape import loss_plane, principal_directions, random_direction

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
TARGET = RNG.integers(0, 2, 30)


def network():
    rng = np.random.default_rng(1)
    return nn.Sequential(
        nn.Linear(3, 5, generator=rng, dtype=np.float64), nn.BatchNorm1d(5, dtype=np.float64), nn.Tanh(),
        nn.Dropout(0.5), nn.Linear(5, 2, generator=rng, dtype=np.float64),
    )  # fmt: skip


def test_a_random_direction_is_as_long_as_the_weights_filter_by_filter():
    model = nn.Sequential(nn.Conv2d(2, 4, 3, generator=RNG), nn.Flatten(), nn.Linear(4, 3, generator=RNG))
    model.parameters["0.weight"][1] *= 100
    direction = random_direction(model, np.random.default_rng(0))
    assert direction.keys() == {"0.weight", "2.weight"}, "biases stay"
    for name, array in direction.items():
        drawn, weight = (a.reshape(len(a), -1) for a in (array, model.parameters[name]))
        np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), np.linalg.norm(weight, axis=1), rtol=1e-6)


def test_the_loss_of_a_plane_is_that_of_a_model_moved_by_hand():
    model, loss = network(), nn.CrossEntropyLoss()
    first, second = (random_direction(model, np.random.default_rng(seed)) for seed in (1, 2))
    a, b = np.array([-1.0, 0.0, 0.5]), np.array([0.0, 2.0])
    losses = loss_plane(model, loss, X, TARGET, (first, second), a, b)
    assert losses.shape == (2, 3)
    for i, j in np.ndindex(losses.shape):
        moved = network()
        for name, array in moved.parameters.items():
            array += a[j] * first.get(name, 0) + b[i] * second.get(name, 0)
        assert losses[i, j] == pytest.approx(float(loss(moved(X), TARGET)), rel=1e-12)
    assert losses[0, 1] == pytest.approx(float(loss(model(X), TARGET)), rel=1e-15)


@pytest.mark.parametrize("failing", [False, True])
def test_the_model_keeps_its_weights_to_the_bit(failing):
    model = network()
    before = {name: array.copy() for name, array in model.state_dict().items()}
    arrays = dict(model.parameters)
    if failing:
        with pytest.raises(InputError):
            plot.loss_surface(model, nn.CrossEntropyLoss(), X, np.full(30, 7), points=3)
    else:
        plot.loss_surface(model, nn.CrossEntropyLoss(), X, TARGET, points=3)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], strict=True)
    assert all(model.parameters[name] is array for name, array in arrays.items())


def test_principal_directions_span_the_plane_in_which_weights_moved():
    basis = np.linalg.qr(RNG.normal(size=(8, 2)))[0].T
    places = RNG.normal(size=(6, 2)) * (5, 1)
    centre = {"a": RNG.normal(size=(2, 3)), "b": RNG.normal(size=2)}
    origin = np.concatenate([array.ravel() for array in centre.values()])
    moments = [
        {"a": point[:6].reshape(2, 3), "b": point[6:], "running_mean": np.zeros(3)}
        for point in origin + places @ basis
    ]
    first, second = principal_directions(moments, centre)
    found = np.stack([np.concatenate([d["a"].ravel(), d["b"]]) for d in (first, second)])
    np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(found - (found @ basis.T) @ basis, 0, atol=1e-12)
    assert np.square(places @ basis @ found[0]).sum() > np.square(places @ basis @ found[1]).sum()


def test_a_path_on_a_line_has_no_plane():
    moments = [{"a": np.array([t, 2 * t])} for t in (1.0, 2.0, 3.0)]
    with pytest.raises(InputError, match="line"):
        principal_directions(moments, {"a": np.zeros(2)})


def test_the_map_of_a_quadratic_loss_has_its_lowest_place_where_it_is():
    """y = w·x with squares: the loss is (w − 2)², so along w it is lowest at w + 1·d with d = 2 − w."""
    line = nn.Linear(1, 2, bias=False, generator=RNG, dtype=np.float64)
    line.weight = np.array([[1.0], [5.0]])
    x = np.ones((4, 1))
    first, second = {"weight": np.array([[1.0], [0.0]])}, {"weight": np.array([[0.0], [1.0]])}
    target = np.tile([2.0, 4.0], (4, 1))
    a = np.linspace(-2, 2, 9)
    losses = loss_plane(line, nn.MSELoss(), x, target, (first, second), a, a)
    i, j = np.unravel_index(losses.argmin(), losses.shape)
    assert (a[j], a[i]) == (1.0, -1.0)
    assert losses[i, j] == 0


def test_the_figure_of_a_path_shows_all_of_it():
    model, path = network(), []
    for step in range(5):
        for k, array in enumerate(model.parameters.values()):
            array += 0.1 * np.random.default_rng((step, k)).normal(size=array.shape)
        path.append(model.state_dict())
    figure = plot.loss_surface(model, nn.CrossEntropyLoss(), X, TARGET, trajectory=path, points=5)
    axes = figure.axes[0]
    drawn = next(line.get_xydata() for line in axes.lines if len(line.get_xydata()) == 5)
    np.testing.assert_allclose(drawn[-1], 0, atol=1e-12)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert ((drawn > [left, low]) & (drawn < [right, high])).all()


def test_a_loss_that_is_not_finite_leaves_a_hole():
    line = nn.Linear(1, 1, bias=False, generator=RNG, dtype=np.float64)
    far, further = {"weight": np.array([[1e200]])}, {"weight": np.array([[3e200]])}
    figure = plot.loss_surface(
        line, nn.MSELoss(), np.ones((2, 1)), np.ones((2, 1)), directions=(far, far), points=3
    )
    figure.canvas.draw()
    with pytest.raises(InputError, match="loss must be finite somewhere"):
        plot.loss_surface(
            line, nn.MSELoss(), np.full((2, 1), 1e200), np.ones((2, 1)), directions=(far, further), points=2
        )
