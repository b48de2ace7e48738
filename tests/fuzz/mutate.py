"""Changes to valid input, so that some of it still looks valid."""

import random

NUMBERS = [0, 1, 127, 128, 255, *(2**bits - minus for bits in (15, 16, 31, 32, 63, 64) for minus in (0, 1))]
TOKENS = [
    b"\0", b"\n", b"\r\n", b",", b'"', b"{", b"}", b"[", b"]", b"-1", b"1e999", b"NaN", b"null", b"\xff",
    b"\xef\xbb\xbf", b"../", b"/dev/zero", b'"F64"', b'"BF16"', b"[0,0]", b"9" * 30, b"\xed\xa0\x80",
]  # fmt: skip


def mutated(rng: random.Random, seeds: list[bytes]) -> bytes:
    """Return one of the seeds with a few changes, or bytes at random."""
    if rng.random() < 0.02:
        return rng.randbytes(rng.randrange(64))
    content = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(CHANGES)(rng, content)
    return bytes(content)


def flip(rng, content):
    if content:
        content[place(rng, content)] ^= 1 << rng.randrange(8)


def overwrite(rng, content):
    if content:
        content[place(rng, content)] = rng.choice((0, 255, rng.randrange(256)))


def number(rng, content):
    size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
    value = (rng.choice(NUMBERS) % 2 ** (8 * size)).to_bytes(size, order)
    at = place(rng, content)
    content[at : at + size] = value


def cut(rng, content):
    del content[place(rng, content) :]


def remove(rng, content):
    at = place(rng, content)
    del content[at : at + rng.randrange(1, 40)]


def repeat(rng, content):
    at = place(rng, content)
    part = content[at : at + rng.randrange(1, 40)]
    content[at:at] = part * rng.choice((1, 1, 3, 50))


def insert(rng, content):
    at = place(rng, content)
    content[at:at] = rng.choice(TOKENS)


def digit(rng, content):
    """Change a digit, of which headers and tables are full."""
    digits = [i for i, byte in enumerate(content[:2000]) if 48 <= byte <= 57]
    if digits:
        content[rng.choice(digits)] = rng.choice(b"0123456789-.eE")


def place(rng, content):
    """Return a place, more often near the beginning, where headers are."""
    limit = len(content) if rng.random() < 0.5 else min(len(content), 400)
    return rng.randrange(limit) if limit else 0


CHANGES = (flip, overwrite, number, cut, remove, repeat, insert, digit)
