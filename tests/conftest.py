"""Shape annotations are checked at run time in every test, unless a test asks for the bare library."""

import os
import sys
from pathlib import Path

import jaxtyping
import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
# Last, so that an installed npnet comes first; `benchmarks` is not part of the wheel.
sys.path.append(str(ROOT))

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
