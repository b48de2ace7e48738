"""Shape annotations are checked at run time in every test, unless a test asks for the bare library."""

import os
import shutil
import sys
from collections import Counter
from contextlib import suppress
from functools import wraps
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from weakref import WeakKeyDictionary

# Side by side, each worker and each process that it starts computes on one core: more threads than cores wait
# for each other. What npnet does over threads of its own is not touched by this.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import jaxtyping
import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Last, so that an installed npnet comes first; `benchmarks` is not part of the wheel.
sys.path.append(str(ROOT))

# The check of a function is compiled when the function is made: once for most, but for the backward functions
# made within the operations at each call, where it would take most of the time. Of these the first few are
# checked in each process; tests run in random order, so that all kinds of cases come by.
MADE_OF_EACH = 25
# And a check takes longer than what most functions do. Each test has the first calls of each function
# checked, and those of a long training after that are not.
CALLS_OF_EACH = 50
_jaxtyped = jaxtyping.jaxtyped
_made = Counter()
# Of the test under way. Weak, for functions made within others hold on to their arrays.
_calls = WeakKeyDictionary()


def _jaxtyped_at_first(*, typechecker):
    decorate = _jaxtyped(typechecker=typechecker)

    def decorate_at_first(decorated):
        code = getattr(decorated, "__code__", decorated)
        _made[code] += 1
        if _made[code] > MADE_OF_EACH:
            return decorated
        return _checked_at_first(decorated, decorate) if isfunction(decorated) else decorate(decorated)

    return decorate_at_first


def _checked_at_first(function, decorate):
    checked = decorate(function)

    @wraps(function)
    def call(*args, **kwargs):
        before = _calls.get(function, 0)
        if before >= CALLS_OF_EACH:
            return function(*args, **kwargs)
        _calls[function] = before + 1
        return checked(*args, **kwargs)

    return call


@pytest.fixture(autouse=True)
def _checks_begin_anew():
    _calls.clear()


# What is imported in the course of importing a checked module is compiled anew, past the compiled files that
# are there: workers, which need these libraries anyway, import them first.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _library in ("torch", "matplotlib.figure", "sklearn.datasets", "rich.console", "PIL.Image"):
        with suppress(ModuleNotFoundError):
            import_module(_library)

jaxtyping.jaxtyped = _jaxtyped_at_first
for _package in ("npnet", "ptref"):
    jaxtyping.install_import_hook(_package, "beartype.beartype")

settings.register_profile("dev", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=60)
settings.register_profile("nightly", deadline=None, max_examples=10_000)
settings.load_profile(os.environ.get("NPNET_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


@pytest.fixture
def bare():
    """Switch run-time shape checks off: tests of bad input meet the library's own messages."""
    jaxtyping.config.update("jaxtyping_disable", True)  # noqa: FBT003 - the library's signature
    yield
    jaxtyping.config.update("jaxtyping_disable", False)  # noqa: FBT003


@pytest.fixture
def blank_figures(monkeypatch):
    """Have runs leave one white pixel in the place of each figure: drawing takes most of a short run.

    For tests that do not look at figures, or at their names alone.
    """
    from PIL import Image

    from npnet.experiments import Runner

    def blank(self, file, draw, *arguments, **settings):
        path = self.folder.write(file, lambda out: Image.new("L", (1, 1), 255).save(out, "png"))
        self.figures.append(path)
        self.report(f"figure: {path}")

    monkeypatch.setattr(Runner, "figure_of_all", blank)


@pytest.fixture
def blank_report(monkeypatch):
    """Have runs leave an empty report, for tests that do not look at it."""
    from npnet.experiments import conduct

    monkeypatch.setattr(conduct.Page, "encoded", lambda self: b"")


@pytest.fixture
def blank_pictures(blank_figures, blank_report):
    """Have runs leave neither figures nor a report that anybody could look at."""


@pytest.fixture
def blas_over_threads():
    """Let NumPy's matrix products go over two threads, as they do outside of the tests' workers."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(2, "blas"):
        yield


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
