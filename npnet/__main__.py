"""``python -m npnet`` is the command ``npnet``."""

from __future__ import annotations

import sys

from npnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
