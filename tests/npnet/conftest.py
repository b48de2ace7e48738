"""Fixtures for tests of the NumPy engine."""

from contextlib import ExitStack

import pytest

from npnet.kernels import thresholds


@pytest.fixture
def change_thresholds():
    """Return a function that changes thresholds of the kernels until the end of the test."""
    with ExitStack() as until_the_end:
        yield lambda **changes: until_the_end.enter_context(thresholds.using(**changes))
