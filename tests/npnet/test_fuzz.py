"""A few damaged inputs for every reader; `make fuzz` tries a million."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("resource", reason="the limits are those of POSIX systems")

from tests.fuzz import targets
from tests.fuzz.__main__ import CORPUS, SHARES
from tests.fuzz.mutate import mutated

pytestmark = pytest.mark.usefixtures("bare")

MANY = {target: min(60, share // 500) for target, share in SHARES.items()}


@pytest.mark.parametrize("target", SHARES, ids=lambda target: target.__name__)
def test_valid_input_is_taken(target):
    for seed in targets.seeds()[target][:1]:
        target(seed)


@pytest.mark.parametrize("target", SHARES, ids=lambda target: target.__name__)
def test_damaged_input_is_refused_in_words_or_taken(target):
    rng = random.Random(target.__name__)
    for _ in range(MANY[target]):
        targets.call(target, mutated(rng, targets.seeds()[target]))


@pytest.mark.parametrize("target", [targets.arrays, targets.training_checkpoint, targets.idx, targets.table])
def test_any_bytes_are_refused_in_words(target):
    @given(st.binary(max_size=300))
    def check(content):
        targets.call(target, content)

    check()


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*-*")), ids=lambda path: path.name)
def test_what_once_found_something_is_met(path):
    targets.call(getattr(targets, path.name.partition("-")[0]), path.read_bytes())
