"""Fixtures for tests of the NumPy engine: thresholds of the kernels, and pages opened from files."""

from contextlib import ExitStack

import pytest

from npnet.kernels import thresholds


@pytest.fixture
def change_thresholds():
    """Return a function that changes thresholds of the kernels until the end of the test."""
    with ExitStack() as until_the_end:
        yield lambda **changes: until_the_end.enter_context(thresholds.using(**changes))


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
