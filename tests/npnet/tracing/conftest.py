"""Traces of every operation, and their pages in a browser."""

from functools import cache, partial

import numpy as np
import pytest

import npnet
from npnet import optim
from tests.npnet.tracing.traced_models import MODELS

OPTIMIZERS = {
    "images": optim.Adam,
    "residual": partial(optim.SGD, lr=0.1, momentum=0.9, dampening=0.1),
    "doubles": partial(optim.RMSprop, centered=True, momentum=0.9, weight_decay=0.1),
    "pixels": partial(optim.AdamW, amsgrad=True),
    "soft": partial(optim.SGD, lr=0.1, weight_decay=0.5),
    "others": partial(optim.SGD, lr=0.1),
}


def warm_up(optimizer):
    """Take a step, so that what the optimizer keeps is not 0."""
    rng = np.random.default_rng(4)
    before = {name: array.copy() for name, array in optimizer.parameters.items()}
    optimizer.step({name: rng.normal(size=array.shape).astype(array.dtype) for name, array in before.items()})
    for name, array in before.items():
        optimizer.parameters[name][...] = array


@pytest.fixture(scope="session")
def traced():
    """Return the trace of a model by name, each run once."""

    @cache
    def run(name):
        model, loss, x, target = MODELS[name](np.random.default_rng(0))
        rule = OPTIMIZERS.get(name, OPTIMIZERS["others"])
        optimizer = rule(model.parameters) if model.parameters else None
        if optimizer is not None and optimizer.state_names(optimizer.settings):
            warm_up(optimizer)
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
