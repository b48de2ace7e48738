"""Messages are English: one of something is no plural, a vowel has its own article."""

import numpy as np
import pytest

import npnet
from npnet import check, metrics, nn, optim
from npnet.errors import InputError


@pytest.mark.parametrize(
    ("dtype", "words"),
    [("int64", "an int64 array"), ("object", "an object array"), ("uint8", "a uint8 array")],
)
def test_articles(dtype, words):
    assert check.described(np.zeros(3, dtype)) == f"{words} of shape (3,)"


@pytest.mark.usefixtures("bare")
def test_one_of_something():
    model = nn.Sequential(nn.Linear(1, 1, generator=np.random.default_rng(0)))
    with pytest.raises(InputError, match="linear: x must have 1 feature in its last axis"):
        model(np.zeros((2, 3), np.float32))
    with pytest.raises(InputError, match="one of 1 layer, got 5"):
        model[5]


def test_one_epoch_and_one_sample(capsys):
    model = nn.Linear(1, 1, generator=np.random.default_rng(0))
    data = (np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32))
    npnet.fit(model, nn.MSELoss(), optim.SGD(model.parameters, lr=0.1), data, epochs=1, generator=0)
    assert "trained 1 of 1 epoch in" in "".join(capsys.readouterr())
    report = metrics.report(np.array([0]), np.array([0]), ("a", "b"))
    assert "of 1 sample\n" in str(report)
    assert "1 sample," in repr(report)
