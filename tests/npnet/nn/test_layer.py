import ast
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from npnet import functional as F
from npnet import nn
from npnet.errors import DTypeError, InputError


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def small_network(rng, dtype=np.float64):
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, generator=rng, dtype=dtype),
        nn.BatchNorm2d(4, dtype=dtype),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 6 * 6, 3, generator=rng, dtype=dtype),
    )


class Recorder(nn.Layer):
    """y = scale · x, and a list of which gradients were asked for at each backward."""

    parameter_names = ("scale",)

    def __init__(self):
        super().__init__()
        self.scale = np.full(1, 2.0)
        self.asked = []

    def apply(self, x, *, training, generator):
        def backward(grad_y, needs):
            self.asked.append(needs)
            return grad_y * self.scale, (grad_y * x).sum(keepdims=True)

        return x * self.scale, backward


# ---- names and states ----------------------------------------------------------------------------------


def test_parameters_are_the_arrays_themselves_and_the_state_is_a_copy(rng):
    model = small_network(rng)
    model.parameters["4.bias"][:] = 7
    assert (model[4].bias == 7).all()
    model.state_dict()["4.bias"][:] = 8
    assert (model[4].bias == 7).all()


def test_a_state_goes_into_the_arrays_in_place_and_takes_their_dtype(rng):
    source, target = small_network(rng), small_network(rng, np.float32)
    kept = target.parameters
    source[1].num_batches_tracked[...] = 5
    target.load_state_dict(source.state_dict())
    for name, array in target.parameters.items():
        assert array is kept[name]
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, source.parameters[name].astype(np.float32))
    assert target[1].num_batches_tracked == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"4.bias": None}, r"missing \['4.bias'\], unknown nothing"),
        ({"5.bias": np.zeros(3)}, r"missing nothing, unknown \['5.bias'\]"),
        ({"4.bias": np.zeros(1)}, r"4.bias must have shape \(3,\), got \(1,\)"),
        ({"4.bias": np.array(["a", "b", "c"])}, "4.bias must have a dtype like float64, got <U1"),
        ({"4.bias": np.zeros(3, complex)}, "4.bias must have a dtype like float64, got complex128"),
        ({"1.num_batches_tracked": np.array(0.5)}, "must have a dtype like int64, got float64"),
        ({"4.bias": [0.0, 0.0, 0.0]}, "4.bias must be a NumPy array, got list"),
    ],
)
@pytest.mark.usefixtures("bare")
def test_a_state_that_does_not_fit_changes_nothing(rng, change, message):
    model = small_network(rng)
    before = model.state_dict()
    state = {name: np.asarray(array + 1) for name, array in before.items()} | change
    state = {name: array for name, array in state.items() if array is not None}
    with pytest.raises(InputError, match=message):
        model.load_state_dict(state)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_astype_converts_parameters_and_statistics_but_not_counters(rng):
    model = small_network(rng)
    model.astype(np.float32)
    dtypes = {name: array.dtype.name for name, array in model.state_dict().items()}
    assert dtypes.pop("1.num_batches_tracked") == "int64"
    assert set(dtypes.values()) == {"float32"}
    assert model(np.ones((1, 2, 6, 6), np.float32)).dtype == np.float32
    with pytest.raises(DTypeError, match="float32 or float64, got float16"):
        model.astype(np.float16)


# ---- freezing ------------------------------------------------------------------------------------------


def test_freezing_goes_by_parameter_and_by_layer(rng):
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2, generator=rng)), nn.Linear(2, 2, generator=rng))
    model.freeze("0", "1.bias")
    assert model.frozen_parameters == {"0.0.weight", "0.0.bias", "1.bias"}
    model.unfreeze("0.0.bias")
    assert model.frozen_parameters == {"0.0.weight", "1.bias"}
    assert model.trainable
    model.freeze("0", "1")
    assert not model.trainable


@pytest.mark.parametrize("name", ["0.wieght", "2", "1", "", "0.weigh"])
def test_freezing_an_unknown_name_or_a_layer_without_parameters_is_refused_and_freezes_nothing(rng, name):
    model = nn.Sequential(nn.Linear(2, 2, generator=rng), nn.ReLU())
    with pytest.raises(InputError, match=f"named {name!r}; parameters are 0.weight, 0.bias"):
        model.freeze("0.weight", name)
    assert model.frozen_parameters == set()


def test_frozen_parameters_have_no_gradient_and_the_others_keep_theirs(rng):
    model, x = small_network(rng), rng.standard_normal((3, 2, 6, 6))
    y, backward = model.forward(x)
    grad_y = rng.standard_normal(y.shape)
    everything = backward(grad_y)
    model.freeze("0.weight", "1")
    grad_x, grads = model.forward(x)[1](grad_y)
    assert grads.keys() == {"0.bias", "4.weight", "4.bias"}
    np.testing.assert_array_equal(grad_x, everything[0])
    for name, grad in grads.items():
        np.testing.assert_array_equal(grad, everything[1][name])


def test_an_operation_is_asked_for_no_gradient_that_is_not_needed(rng, monkeypatch):
    asked = []
    linear = F.linear

    def spy(x, weight, bias=None):
        y, backward = linear(x, weight, bias)

        def recording(grad_y, needs):
            asked.append((weight.shape[0], needs))
            return backward(grad_y, needs)

        return y, recording

    monkeypatch.setattr(F, "linear", spy)
    model = nn.Sequential(*(nn.Linear(2, 2, generator=rng) for _ in range(2)), nn.Linear(2, 3, generator=rng))
    model.freeze("1", "2.weight")
    _, backward = model.forward(np.ones((1, 2)).astype(np.float32))
    backward(np.ones((1, 3), np.float32), needs_grad_x=False)
    assert asked == [
        (3, (True, False, True)),
        (2, (True, False, False)),
        (2, (False, True, True)),  # the first trainable layer: its grad_x is nobody's
    ]


def test_nothing_before_the_first_trainable_layer_runs_backward():
    layers = [Recorder() for _ in range(4)]
    model = nn.Sequential(layers[0], nn.Sequential(layers[1], layers[2]), layers[3])
    model.freeze("0", "1.0")
    _, backward = model.forward(np.ones(3))
    grad_x, grads = backward(np.ones(3), needs_grad_x=False)
    assert grad_x is None
    assert grads.keys() == {"2.scale", "1.1.scale"}
    assert [layer.asked for layer in layers] == [[], [], [(False, True)], [(True, True)]]


def test_a_wholly_frozen_model_runs_backward_only_for_its_input():
    layers = [Recorder(), Recorder()]
    model = nn.Sequential(*layers)
    model.freeze("0", "1")
    _, backward = model.forward(np.ones(3))
    assert backward(np.ones(3), needs_grad_x=False) == (None, {})
    assert [layer.asked for layer in layers] == [[], []]
    np.testing.assert_array_equal(backward(np.ones(3))[0], 4 * np.ones(3))
    assert [layer.asked for layer in layers] == [[(True, False)], [(True, False)]]


def test_layers_without_parameters_skip_their_gradient_when_it_is_not_needed():
    class Once(nn.Layer):
        def apply(self, x, *, training, generator):
            return x, lambda grad_y: pytest.fail("backward ran for nobody")

    _, backward = Once().forward(np.ones(2))
    assert backward(np.ones(2), needs_grad_x=False) == (None, {})


# ---- running -------------------------------------------------------------------------------------------


def test_backward_may_be_called_twice_and_changes_neither_its_input_nor_the_layer(rng):
    model, x = small_network(rng), rng.standard_normal((3, 2, 6, 6))
    y, backward = model.forward(x)
    state, grad_y = model.state_dict(), rng.standard_normal(y.shape)
    given = grad_y.copy()
    (grad_x, grads), (again, grads_again) = backward(grad_y), backward(grad_y)
    np.testing.assert_array_equal(grad_x, again)
    np.testing.assert_array_equal(grad_y, given)
    for name, grad in grads.items():
        np.testing.assert_array_equal(grad, grads_again[name])
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


def test_one_model_in_many_threads_gives_what_it_gives_alone(rng):
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, generator=rng),
        nn.Residual(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, generator=rng), nn.Tanh())),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(4 * 8 * 8, 3, generator=rng),
    )
    batches = [rng.standard_normal((5, 2, 10, 10)).astype(np.float32) for _ in range(8)]

    def run(seed):
        y, backward = model.forward(batches[seed], generator=np.random.default_rng(seed))
        return y, *backward(y)

    alone = [run(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(run, range(8)))
    for (y, grad_x, grads), (y_too, grad_x_too, grads_too) in zip(alone, together, strict=True):
        np.testing.assert_array_equal(y, y_too)
        np.testing.assert_array_equal(grad_x, grad_x_too)
        for name in grads:
            np.testing.assert_array_equal(grads[name], grads_too[name])


def test_inference_is_the_forward_pass_of_evaluation(rng):
    model = nn.Sequential(nn.Linear(3, 4, generator=rng), nn.Dropout(0.9), nn.BatchNorm1d(4))
    x = rng.standard_normal((5, 3)).astype(np.float32)
    np.testing.assert_array_equal(model(x), model.forward(x, training=False)[0])
    assert model[2].num_batches_tracked == 0


# ---- description ---------------------------------------------------------------------------------------


LAYERS = [
    "Linear(3, 4)",
    "Linear(3, 4, bias=False)",
    "Conv2d(2, 4, (3, 5), stride=2, padding=(1, 0), dilation=2, groups=2, bias=False)",
    "Conv2d(2, 4, 3, padding='same')",
    "MaxPool2d(2, stride=1, padding=1, dilation=2, ceil_mode=True)",
    "MaxPool2d((2, 3))",
    "AvgPool2d(2, stride=1, padding=1, ceil_mode=True, count_include_pad=False, divisor_override=3)",
    "AdaptiveAvgPool2d((1, None))",
    "ReLU()",
    "LeakyReLU()",
    "LeakyReLU(negative_slope=0.2)",
    "Tanh()",
    "Sigmoid()",
    "Softmax(dim=1)",
    "LogSoftmax()",
    "Flatten()",
    "Flatten(start_dim=0, end_dim=2)",
    "Dropout(p=0.25)",
    "BatchNorm1d(3, eps=0.001, momentum=None, track_running_stats=False)",
    "BatchNorm2d(3, momentum=0.2, bias=False)",
    "Identity()",
    "MSELoss(reduction='sum')",
    "CrossEntropyLoss(reduction='mean', ignore_index=1, label_smoothing=0.1)",
]


@pytest.mark.parametrize("text", LAYERS)
def test_repr_is_what_makes_the_layer(text, rng):
    call = ast.parse(text, mode="eval").body
    arguments = [ast.literal_eval(node) for node in call.args]
    settings = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    if call.func.id in {"Linear", "Conv2d"}:
        settings["generator"] = rng
    assert repr(getattr(nn, call.func.id)(*arguments, **settings)) == text


def test_repr_of_a_model_shows_its_tree(rng):
    model = nn.Sequential(nn.Residual(nn.Sequential({"fc": nn.Linear(2, 2, generator=rng)})), nn.ReLU())
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Residual(\n"
        "    (body): Sequential(\n"
        "      (fc): Linear(2, 2)\n"
        "    )\n"
        "  )\n"
        "  (1): ReLU()\n"
        ")"
    )


def test_a_layer_may_forget_to_call_the_constructor_of_its_base():
    class Twice(nn.Layer):
        def __init__(self):
            self.factor = 2.0

        def apply(self, x, *, training, generator):
            return x * self.factor, lambda grad_y: grad_y * self.factor

    y, backward = nn.Sequential(Twice()).forward(np.ones((1, 2)))
    np.testing.assert_array_equal(backward(y)[0], [[4.0, 4.0]])


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("returned", [None, np.ones(2)])
def test_apply_that_returns_no_pair_is_refused(returned):
    class Half(nn.Layer):
        def apply(self, x, *, training, generator):
            return returned

    with pytest.raises(InputError, match=r"layer '0' Half\(\): Half.apply must return \(y, backward\), got"):
        nn.Sequential(Half()).forward(np.ones((1, 2)))


# ---- habits from PyTorch, and a layer's own parameters -------------------------------------------------


def test_parameters_with_brackets_says_how_to_write_it(rng):
    model = small_network(rng)
    with pytest.raises(InputError, match=r"parameters is a dict .* write model.parameters without brackets"):
        model.parameters()
    assert model.parameters.keys() == dict(model.parameters).keys() == {*model.parameters}


@pytest.mark.usefixtures("bare")
def test_state_dict_without_brackets_says_how_to_write_it(rng):
    model = small_network(rng)
    with pytest.raises(InputError, match=r"as state_dict\(\) with its brackets gives, got method"):
        model.load_state_dict(model.state_dict)


@pytest.mark.parametrize(
    ("names", "operation_backward", "message"),
    [
        (
            (),
            lambda g, needs: (g, g),
            "is empty, so .* must take grad_y and nothing else",
        ),
        (
            (),
            lambda g: (g, g),
            "is empty, so .* must give grad_x and nothing else, got 2",
        ),
        (("w",), lambda g: (g, g), r"is \('w',\), so .* must take grad_y, needs and nothing else"),
        (("w",), lambda g, needs: g, "must give grad_x, grad_w and nothing else, got ndarray"),
        (("w",), lambda g, needs: (g,), "must give grad_x, grad_w and nothing else, got 1 gradients"),
        (("w",), lambda g, needs: (g, g, g), "got 3 gradients"),
        (("w",), lambda g, needs: None, "got NoneType"),
    ],
)
def test_a_backward_that_does_not_fit_parameter_names_is_refused(names, operation_backward, message):
    class Scale(nn.Layer):
        parameter_names = names
        w = np.ones(2)

        def apply(self, x, *, training, generator):
            return x * self.w, operation_backward

    x = np.ones((2, 2))  # two rows: taken apart, they would pass for two gradients
    _, backward = nn.Sequential(Scale()).forward(x)
    with pytest.raises(InputError, match=rf"layer '0' Scale\(\): Scale: parameter_names .*{message}"):
        backward(x)


def test_an_error_within_a_layers_backward_is_left_as_it_is():
    class Broken(nn.Layer):
        def apply(self, x, *, training, generator):
            return x, lambda grad_y: len(3)

    _, backward = Broken().forward(np.ones(2))
    with pytest.raises(TypeError, match=r"object of type 'int' has no len\(\)"):
        backward(np.ones(2))


@pytest.mark.parametrize("kind", ["parameter_names", "buffer_names", "setting_names"])
def test_names_without_their_comma_are_refused(kind):
    with pytest.raises(InputError, match=rf"Scale: {kind} must be a tuple, \('scale',\) with its comma"):
        type("Scale", (nn.Layer,), {kind: ("scale")})


def test_an_array_that_is_not_named_is_a_constant():
    class Shift(nn.Layer):
        def __init__(self):
            self.shift = np.ones(2)

        def apply(self, x, *, training, generator):
            return x + self.shift, lambda grad_y: grad_y

    layer = Shift()
    assert not layer.parameters
    assert not layer.state_dict()
    _, grads = layer.forward(np.ones((1, 2)))[1](np.ones((1, 2)))
    assert not grads


@pytest.mark.usefixtures("bare")
def test_a_forward_written_as_in_pytorch_is_told_about_apply():
    with pytest.raises(
        InputError, match=r"Scale: what a layer computes stands in apply.*got forward\(self, x\)"
    ):

        class Scale(nn.Layer):
            def forward(self, x):
                return 2 * x
