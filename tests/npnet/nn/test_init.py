import numpy as np
import pytest

from npnet import nn
from npnet.errors import DTypeError, InputError
from npnet.nn.init import SCHEMES

# Two samples of one distribution give a Kolmogorov–Smirnov p-value below this once in 10 000 draws; seeds are
# fixed, so a test that passes keeps passing.
UNLIKELY = 1e-4

LAYERS = {
    "linear": ("Linear", (60, 300), {}),
    "conv": ("Conv2d", (12, 60, (3, 5)), {}),
    "grouped": ("Conv2d", (24, 120, 3), {"groups": 4}),
}


def ours(layer, init, seed=0, **options):
    name, sizes, settings = LAYERS[layer]
    generator = np.random.default_rng(seed)
    return getattr(nn, name)(*sizes, **settings, **options, init=init, generator=generator)


def theirs(layer, init):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    name, sizes, settings = LAYERS[layer]
    module = getattr(torch.nn, name)(*sizes, **settings)
    if init != "default":
        nonlinearity = {"nonlinearity": "relu"} if init.startswith("kaiming") else {}
        getattr(torch.nn.init, f"{init}_")(module.weight, **nonlinearity)
        torch.nn.init.zeros_(module.bias)
    return module


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("init", SCHEMES)
def test_weights_start_from_the_distribution_torch_starts_from(layer, init):
    from scipy.stats import ks_2samp

    module, own = theirs(layer, init), ours(layer, init)
    weight, reference = own.weight.ravel(), module.weight.detach().numpy().ravel()
    assert weight.shape == reference.shape
    assert ks_2samp(weight, reference).pvalue > UNLIKELY
    assert abs(weight.std() / reference.std() - 1) < 0.03
    if init.endswith("normal"):
        assert abs(weight).max() > 3 * weight.std()
    else:  # both fill the same interval to its ends
        assert abs(abs(weight).max() / abs(reference).max() - 1) < 1e-3


@pytest.mark.parametrize("layer", LAYERS)
def test_biases_start_from_the_distribution_torch_starts_from(layer):
    from scipy.stats import ks_2samp

    module = theirs(layer, "default")
    bias = np.concatenate([ours(layer, "default", seed).bias for seed in range(20)])
    bound = 1 / np.sqrt(module.weight[0].numel())
    assert ks_2samp(bias, module.bias.detach().numpy()).pvalue > UNLIKELY
    assert 0.99 * bound < abs(bias).max() <= bound
    for init in SCHEMES[1:]:
        assert not ours(layer, init).bias.any()


def test_the_same_seed_starts_alike_in_both_dtypes():
    single, double = (ours("conv", "default", dtype=dtype) for dtype in (np.float32, np.float64))
    for name, array in double.parameters.items():
        assert array.dtype == np.float64
        np.testing.assert_array_equal(single.parameters[name], array.astype(np.float32))
    assert not np.array_equal(double.weight, ours("conv", "default", 1, dtype=np.float64).weight)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda g: nn.Linear(3, 2, init="he", generator=g), InputError, "init must be one of .*got 'he'"),
        (lambda g: nn.Linear(3, 2, generator=0), InputError, "generator must be a numpy.random.Generator"),
        (lambda g: nn.Linear(3, 2, generator=g, dtype=int), DTypeError, "float32 or float64, got int64"),
        (lambda g: nn.BatchNorm2d(2, dtype=np.float16), DTypeError, "float32 or float64, got float16"),
        (lambda g: nn.Linear(0, 2, generator=g), InputError, "in_features must be a positive integer, got 0"),
        (lambda g: nn.Linear(3, 2.0, generator=g), InputError, "out_features must be .*got 2.0"),
        (lambda g: nn.Conv2d(3, 4, 3, groups=2, generator=g), InputError, "groups must divide"),
        (lambda g: nn.Conv2d(3, 4, 0, generator=g), InputError, "kernel_size must be a positive integer"),
        (lambda g: nn.Conv2d(3, 4, 3, 2, "same", generator=g), InputError, "'same' needs stride 1"),
        (lambda g: nn.BatchNorm1d(-1), InputError, "num_features must be a positive integer, got -1"),
        (
            lambda g: nn.Dropout(1.5),
            InputError,
            "p must be a finite number of at least 0 and at most 1, got 1.5",
        ),
    ],
)
def test_what_no_layer_can_be_made_of_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make(np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [np.float32, "float32", "f4", np.dtype("f4"), np.float64, "f8", float])
def test_the_dtype_is_numpys_own_object(dtype):
    weight = nn.Linear(2, 1, generator=np.random.default_rng(0), dtype=dtype).weight
    assert weight.dtype is np.dtype(np.float32 if weight.itemsize == 4 else np.float64)
