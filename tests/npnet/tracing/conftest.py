"""Traces of every operation, and their pages in a browser."""

from functools import cache, partial

import numpy as np
import pytest

import npnet
from npnet import optim
from tests.npnet.tracing.traced_models import MODELS

OPTIMIZERS = {
    "images": optim.Adam,
    "soft": partial(optim.SGD, lr=0.1, weight_decay=0.5),
    "others": partial(optim.SGD, lr=0.1),
}


@pytest.fixture(scope="session")
def traced():
    """Return the trace of a model by name, each run once."""

    @cache
    def run(name):
        model, loss, x, target = MODELS[name](np.random.default_rng(0))
        rule = OPTIMIZERS.get(name, OPTIMIZERS["others"])
        optimizer = rule(model.parameters) if model.parameters else None
        return npnet.trace(model, loss, x, target, optimizer=optimizer, generator=np.random.default_rng(1))

    return run


@pytest.fixture
def opened(opened_file, tmp_path):
    """Open the page of a trace."""

    def open_page(trace, **settings):
        page = opened_file(trace.save(tmp_path / "page.html"), **settings)
        page.wait_for_selector("html[data-ready]")
        return page

    return open_page
