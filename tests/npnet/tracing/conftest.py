"""A browser of the system's, in which pages are opened as files, and traces of every operation."""

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
def opened(browser, tmp_path):
    """Open the page of a trace from a file; at the end require that it was quiet and asked for nothing."""
    contexts, heard = [], []

    def open_page(trace, width=1280, height=900, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: request.url.startswith("file:") or heard.append(request.url))
        page.goto(trace.save(tmp_path / "page.html").as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not heard
