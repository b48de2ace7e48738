"""Messages are English: one of something is no plural, a vowel has its own article."""

import numpy as np
import pytest

from npnet import check, nn
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
