"""The largest numbers that the options of a recipe accept; larger ones are taken for typing errors."""

from __future__ import annotations

MOST = 10**12  # epochs, or samples in a minibatch
MOST_THREADS = 1024
SEEDS = 2**64  # every engine accepts seeds below this
