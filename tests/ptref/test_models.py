import numpy as np
import pytest

from npnet import checkpoint
from npnet import models as ours
from npnet.errors import InputError

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402 - PyTorch may be absent

from ptref import models as theirs  # noqa: E402
from ptref.convert import from_torch, parameter_map  # noqa: E402

GREY, COLOUR = (1, 28, 28), (3, 32, 32)
MODELS = {
    "logistic": (ours.logistic_regression, theirs.LogisticRegression, (784, 10), {}, GREY),
    "logistic_2d": (ours.logistic_regression, theirs.LogisticRegression, (2, 3), {}, (2,)),
    "mlp": (ours.mlp, theirs.MLP, ([784, 100, 10],), {}, GREY),
    "mlp_linear": (ours.mlp, theirs.MLP, ([2, 2],), {}, (2,)),
    "mlp_sigmoid": (ours.mlp, theirs.MLP, ([2, 10, 10, 2], "sigmoid"), {}, (2,)),
    "mlp_tanh": (ours.mlp, theirs.MLP, ([2, 10, 2], "tanh"), {}, (2,)),
    "mlp_norm": (ours.mlp, theirs.MLP, ([2, 10, 2], "leaky_relu"), {"batch_norm": True}, (2,)),
    "lenet_grey": (ours.lenet5, theirs.LeNet5, (), {}, GREY),
    "lenet_colour": (ours.lenet5, theirs.LeNet5, (3, 32, 100), {}, COLOUR),
    "signs_small": (ours.signs_small, theirs.SignsSmall, (), {}, GREY),
    "signs_deep": (ours.signs_deep, theirs.SignsDeep, (26,), {"dropout": 0.0}, GREY),
    "airplane_bird": (ours.airplane_bird_mlp, theirs.AirplaneBirdMLP, (64,), {}, COLOUR),
    "airplane_bird_log": (
        ours.airplane_bird_mlp,
        theirs.AirplaneBirdMLP,
        (64,),
        {"log_softmax": True},
        COLOUR,
    ),
    "airplane_bird_conv": (ours.airplane_bird_conv, theirs.AirplaneBirdConv, (), {}, COLOUR),
    "airplane_bird_wide": (
        ours.airplane_bird_conv,
        theirs.AirplaneBirdConv,
        ((6, 10), 16, "relu"),
        {},
        COLOUR,
    ),
}


@pytest.fixture(params=MODELS)
def pair(request):
    """Return both engines' network in float64, with weights of their own, and a minibatch."""
    build, kind, arguments, options, shape = MODELS[request.param]
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    model = build(*arguments, **options, generator=rng, dtype=np.float64)
    return model, kind(*arguments, **options).double(), rng.standard_normal((4, *shape))


def agree(model, module, x):
    grad_y = np.random.default_rng(1).standard_normal(tuple(model(x).shape))
    x_torch = torch.tensor(x, requires_grad=True)
    y_torch = module.train()(x_torch)
    y_torch.backward(torch.tensor(grad_y))
    y, backward = model.forward(x, generator=np.random.default_rng(2))
    grad_x, grads = backward(grad_y)
    np.testing.assert_allclose(y, y_torch.detach().numpy(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(grad_x, x_torch.grad.numpy(), rtol=1e-10, atol=1e-13)
    assert grads.keys() == {name for name, _ in module.named_parameters()}
    for name, parameter in module.named_parameters():
        np.testing.assert_allclose(grads[name], parameter.grad.numpy(), rtol=1e-10, atol=1e-12)
    with torch.no_grad():
        np.testing.assert_allclose(model(x), module.eval()(torch.tensor(x)).numpy(), rtol=1e-10, atol=1e-13)


def test_names_and_shapes_are_equal(pair):
    model, module, _ = pair
    assert list(model.state_dict()) == list(module.state_dict())
    for name, array in model.state_dict().items():
        assert array.shape == tuple(module.state_dict()[name].shape)


def test_a_weight_file_of_npnet_opens_in_torch(pair, tmp_path):
    model, module, x = pair
    checkpoint.save_weights(tmp_path / "weights.safetensors", model)
    module.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    agree(model, module, x)


def test_a_weight_file_of_torch_opens_in_npnet(pair, tmp_path):
    model, module, x = pair
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    checkpoint.load_weights(tmp_path / "weights.safetensors", model)
    agree(model, module, x)


@pytest.mark.usefixtures("bare")  # forward is followed with a stand-in, which checks do not take for a tensor
def test_converted_it_is_the_same_network(pair):
    _, module, x = pair
    layer, names = from_torch(module), parameter_map(module)
    assert names == {name: name for name in module.state_dict()}
    agree(layer, module, x)


def test_initial_weights_are_as_large_on_both_sides():
    model = ours.mlp([200, 300, 10], generator=np.random.default_rng(0))
    module = theirs.MLP([200, 300, 10])
    for name, array in model.parameters.items():
        assert abs(array.std() / float(module.state_dict()[name].std()) - 1) < 0.5
    normal = ours.mlp([200, 300, 10], init="kaiming_normal", generator=np.random.default_rng(0))
    assert abs(normal.parameters["fc1.weight"].std() - np.sqrt(2 / 200)) < 2e-3


def test_a_gpu_runs_the_modules_where_there_is_one():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    for _, kind, arguments, options, shape in MODELS.values():
        assert kind(*arguments, **options).cuda()(torch.zeros(2, *shape, device="cuda")).is_cuda


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mlp", "MLP", [3]), r"mlp: sizes must be at least two, features and classes, got \[3\]"),
        (("mlp", "MLP", [3, 0, 2]), r"mlp: sizes\[1\] must be a positive integer, got 0"),
        (
            ("mlp", "MLP", [3, 2, 2], "gelu"),
            "activation must be one of relu, leaky_relu, tanh, sigmoid, got 'gelu'",
        ),
        (("lenet5", "LeNet5", 1, 12), "lenet5: image_size must be at least 16, got 12"),
        (
            ("airplane_bird_conv", "AirplaneBirdConv", (4, 4), 8, "swish"),
            "activation must be .* got 'swish'",
        ),
    ],
)
def test_what_no_network_can_be_made_of_is_refused_by_both(arguments, message):
    build, kind, *rest = arguments
    with pytest.raises(InputError, match=message):
        getattr(ours, build)(*rest, generator=np.random.default_rng(0))
    with pytest.raises(InputError, match=message):
        getattr(theirs, kind)(*rest)
