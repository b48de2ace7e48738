"""A browser of the system's, in which pages are opened as files, and traces of every operation."""

import shutil
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
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


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


@pytest.fixture(scope="module")
def browser():
    """Start a browser for the pages of a module; the event loop of playwright ends with it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"there is no browser on this machine: none of {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield chromium
        chromium.close()


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
