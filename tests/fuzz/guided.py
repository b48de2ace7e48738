"""Fuzz one target, guided by coverage: ``python -m tests.fuzz.guided TARGET [INPUTS]``.

The package atheris must be installed. It changes inputs so that they reach more of npnet's code.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["npnet"]):
    from tests.fuzz import targets
    from tests.fuzz.__main__ import kept, try_input


def main():
    target = getattr(targets, sys.argv[1])
    inputs = sys.argv[2] if len(sys.argv) > 2 else "100000"

    def one(content):
        if fault := try_input(target, content):
            raise AssertionError(fault)

    with tempfile.TemporaryDirectory() as corpus:
        for i, seed in enumerate([*targets.seeds()[target], *kept(target)]):
            Path(corpus, str(i)).write_bytes(seed)
        atheris.Setup([sys.argv[0], f"-runs={inputs}", "-max_len=20000", "-rss_limit_mb=1500", corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
