"""Shape annotations are checked at run time in every test, unless a test asks for the bare library."""

import os
import sys
from collections import Counter
from contextlib import suppress
from importlib import import_module
from pathlib import Path

# Side by side, each worker and each process that it starts computes on one core: more threads than cores wait
# for each other. What npnet does over threads of its own is not touched by this.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import jaxtyping
import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
# Last, so that an installed npnet comes first; `benchmarks` is not part of the wheel.
sys.path.append(str(ROOT))

# The check of a function is compiled when the function is made: once for most, but for the backward functions
# made within the operations at each call, where it would take most of the time. Of these the first few are
# checked in each process; tests run in random order, so that all kinds of cases come by.
CHECKED_OF_EACH = 25
_jaxtyped = jaxtyping.jaxtyped
_made = Counter()


def _jaxtyped_at_first(*, typechecker):
    decorate = _jaxtyped(typechecker=typechecker)

    def decorate_at_first(decorated):
        code = getattr(decorated, "__code__", decorated)
        _made[code] += 1
        return decorated if _made[code] > CHECKED_OF_EACH else decorate(decorated)

    return decorate_at_first


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
def blas_over_threads():
    """Let NumPy's matrix products go over two threads, as they do outside of the tests' workers."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(2, "blas"):
        yield
