"""The largest numbers that running a recipe takes: beyond them is a slip of the finger."""

from __future__ import annotations

MOST = 10**12  # epochs, samples of a minibatch
MOST_THREADS = 1024
SEEDS = 2**64  # every engine can be seeded with so many numbers
