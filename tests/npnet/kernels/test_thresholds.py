"""Thresholds are changed for a block, in all threads, and are back afterwards."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, fields

import pytest

from npnet.kernels import thresholds


def test_they_are_back_after_the_block_and_after_an_error():
    usual = thresholds.current
    with thresholds.using(update_block=3):
        with thresholds.using(update_small=4):
            assert (thresholds.current.update_block, thresholds.current.update_small) == (3, 4)
        assert thresholds.current.update_small == usual.update_small
        with pytest.raises(ZeroDivisionError), thresholds.using(update_block=5):
            raise ZeroDivisionError
        assert thresholds.current.update_block == 3
    assert thresholds.current is usual


def test_they_hold_in_threads_that_ran_before():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        with thresholds.using(update_block=3):
            assert pool.submit(lambda: thresholds.current.update_block).result() == 3


def test_a_name_that_is_none_is_refused():
    with pytest.raises(TypeError, match="blocks"), thresholds.using(blocks=3):
        pass


def test_none_is_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        thresholds.current.update_block = 3


def test_each_is_described():
    described = re.findall(r"^    (\w+) : int$", thresholds.Thresholds.__doc__, re.MULTILINE)
    assert described == [field.name for field in fields(thresholds.Thresholds)]
