"""Randomness without state: a number depends only on the seed, a name and a position.

So an hour's values never depend on which other hours are computed, or in which order.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15


def stream(seed: int, *names: str) -> int:
    """Key of an independent stream of random numbers, 64 bits wide."""
    text = "\x1f".join((str(seed), *names)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def bits(key: int, position: int) -> int:
    """The 64 random bits at one position of a stream (the SplitMix64 output function)."""
    x = (key + position * _GOLDEN) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def uniform(key: int, position: int) -> float:
    """Evenly distributed, from 0 up to but not including 1."""
    return (bits(key, position) >> 11) * 2.0**-53


def normal(key: int, position: int) -> float:
    """Roughly normal with mean 0 and deviation 1, never beyond 3.5: the sum of four even draws."""
    x = bits(key, position)
    total = (x & 0xFFFF) + (x >> 16 & 0xFFFF) + (x >> 32 & 0xFFFF) + (x >> 48)
    return (total / 65536.0 - 2.0) * 1.7320508
