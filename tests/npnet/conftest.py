"""Fixtures for tests of the NumPy engine: thresholds of the kernels, and a browser of the system's."""

import shutil
from contextlib import ExitStack

import pytest

from npnet.kernels import thresholds

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def change_thresholds():
    """Return a function that changes thresholds of the kernels until the end of the test."""
    with ExitStack() as until_the_end:
        yield lambda **changes: until_the_end.enter_context(thresholds.using(**changes))


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
def opened_file(browser):
    """Open a page from a file; at the end require that it was quiet and asked for nothing."""
    contexts, heard = [], []

    def open_page(file, width=1280, height=900, **settings):
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: request.url.startswith("file:") or heard.append(request.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not heard
