"""What a user of PyTorch reaches for is answered by what to write here."""

import copy
import pickle

import numpy as np
import pytest

from npnet import _from_pytorch, models, nn, optim
from npnet.errors import DTypeError, InputError

RNG = np.random.default_rng(0)


def model():
    return nn.Sequential(nn.Linear(3, 2, generator=RNG), nn.ReLU())


def owners():
    yield from ((model(), name, _from_pytorch.LAYER) for name in _from_pytorch.LAYER)
    yield from ((nn.ReLU(), name, _from_pytorch.LAYER) for name in ("train", "eval"))
    sgd = optim.SGD(model().parameters, lr=0.1)
    yield from ((sgd, name, _from_pytorch.OPTIMIZER) for name in _from_pytorch.OPTIMIZER)
    yield from ((nn.MSELoss(), name, _from_pytorch.LOSS) for name in _from_pytorch.LOSS)


@pytest.mark.parametrize(("owner", "name", "ways"), list(owners()), ids=lambda value: str(value)[:12])
def test_the_way_is_told(owner, name, ways):
    assert not hasattr(owner, name)
    with pytest.raises(AttributeError) as caught:
        getattr(owner, name)
    assert str(caught.value).endswith(f"has no attribute '{name}'; {ways[name]}")


def test_any_other_name_is_as_elsewhere():
    with pytest.raises(AttributeError, match=r"^'ReLU' object has no attribute 'nonsense'$"):
        nn.ReLU().nonsense  # noqa: B018 - touched on purpose


def test_copies_are_made_all_the_same():
    for copied in (copy.deepcopy(model()), pickle.loads(pickle.dumps(model()))):
        assert copied(np.zeros((1, 3), np.float32)).shape == (1, 2)


MAKERS = {
    "Linear": lambda: nn.Linear(3, 2),
    "Conv2d": lambda: nn.Conv2d(3, 2, 3),
    "lenet5": models.lenet5,
    "mlp": lambda: models.mlp([3, 2]),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_without_a_generator_it_is_said_how_to_make_one(make):
    with pytest.raises(InputError, match=r"generator must be .*np.random.default_rng\(0\), got None"):
        make()


@pytest.mark.usefixtures("bare")
def test_samples_of_another_dtype_than_the_model():
    with pytest.raises(DTypeError, match=r"write x.astype\(np.float32\), or npnet.predict\(model, x\)"):
        model()(np.zeros((1, 3)))
    with pytest.raises(DTypeError, match=r"write x.astype\(np.float32\), or npnet.predict\(model, x\)"):
        model().forward(np.zeros((1, 3)))
