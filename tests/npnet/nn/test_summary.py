import numpy as np
import pytest

from npnet import nn
from npnet.errors import InputError


@pytest.fixture
def lenet():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2, generator=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, generator=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120, generator=rng),
        nn.ReLU(),
        nn.Linear(120, 84, generator=rng),
        nn.ReLU(),
        nn.Linear(84, 10, generator=rng),
    )


def test_numbers_of_lenet_are_those_computed_by_hand(lenet):
    summary = lenet.summary((1, 28, 28))
    rows = {layer.name: layer for layer in summary.layers}
    assert rows["0"].output_shape == (6, 28, 28)
    assert rows["0"].parameters == 6 * 25 + 6
    assert rows["0"].multiply_adds == 6 * 28 * 28 * 25
    assert rows["3"].output_shape == (16, 10, 10)
    assert rows["3"].parameters == 16 * 6 * 25 + 16
    assert rows["3"].multiply_adds == 16 * 10 * 10 * 6 * 25
    assert rows["6"].output_shape == (400,)
    assert (rows["6"].parameters, rows["6"].multiply_adds) == (0, 0)
    assert rows["7"].multiply_adds == 400 * 120
    assert summary.parameters == 61_706
    assert summary.multiply_adds == 117_600 + 240_000 + 48_000 + 10_080 + 840


def test_grouped_strided_convolution(lenet):
    layer = nn.Conv2d(4, 8, 3, stride=2, groups=2, bias=False, generator=np.random.default_rng(0))
    summary = nn.Sequential(layer).summary((4, 9, 9))
    assert summary.layers[0].output_shape == (8, 4, 4)
    assert summary.parameters == 8 * 2 * 9
    assert summary.multiply_adds == 8 * 4 * 4 * 2 * 9


def test_branches_are_listed_and_frozen_parameters_counted():
    rng = np.random.default_rng(0)
    body = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, generator=rng), nn.BatchNorm2d(4))
    model = nn.Sequential(nn.Residual(body, nn.Conv2d(2, 4, 1, generator=rng)), nn.ReLU())
    model.freeze("0.shortcut")
    summary = model.summary((2, 5, 5))
    assert [layer.name for layer in summary.layers] == ["0.body.0", "0.body.1", "0.shortcut", "1"]
    assert summary.parameters == (4 * 2 * 9 + 4) + (4 + 4) + (4 * 2 + 4)
    assert summary.frozen == 12
    assert str(summary).endswith("12 of these parameters are frozen")
    assert model[0].body[1].num_batches_tracked == 0  # looking changes nothing


def test_parameters_are_as_many_as_torch_counts(lenet):
    torch = pytest.importorskip("torch")
    convert = pytest.importorskip("ptref.convert")
    twin = convert.to_torch(lenet)
    assert isinstance(twin, torch.nn.Module)
    assert lenet.summary((1, 28, 28)).parameters == sum(p.numel() for p in twin.parameters())


@pytest.mark.usefixtures("bare")
def test_a_sample_that_does_not_fit_names_the_layer(lenet):
    with pytest.raises(InputError, match=r"layer '7' Linear\(400, 120\): .*x must have 400 features"):
        lenet.summary((1, 32, 32))


@pytest.mark.usefixtures("bare")
def test_a_number_is_a_shape_of_one_axis():
    model = nn.Linear(8, 2, generator=np.random.default_rng(0))
    assert model.summary(8) == model.summary((8,)) == model.summary(np.int64(8))
    assert model.summary(8).input_shape == (8,)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("given", [8.0, (8.0,), "8", None, -8, (1, -1)])
def test_what_is_no_shape_is_refused(given):
    with pytest.raises(InputError, match=r"summary: input_shape must be the shape of one sample, .*, got"):
        nn.ReLU().summary(given)


def test_a_user_layer_may_say_what_it_costs():
    class Scale(nn.Layer):
        def apply(self, x, *, training, generator):
            return 2 * x, lambda grad_y: 2 * grad_y

        def multiply_adds(self, x_shape, y_shape):
            return 7

    assert Scale().summary((3,)).multiply_adds == 7
