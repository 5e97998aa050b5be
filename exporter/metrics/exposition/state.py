"""A short digest of a family's samples: as long as it stays the same, so does what is rendered of them.

The samples themselves are not kept from one snapshot to the next: they take more memory than their text.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import Final

from exporter.metrics.families import FamilySamples

_CHUNK_SAMPLES: Final = 1024
"""So few that other threads never wait long."""

_DIGEST_BYTES: Final = 16
_NO_TIME: Final = math.nan


def state_of(family_samples: FamilySamples) -> bytes:
    """Return a digest of samples and times of creation, in their order, for use within one process."""
    digest = blake2b(digest_size=_DIGEST_BYTES)
    created = family_samples.created or {}
    samples: Iterator[tuple[tuple[str, ...], float]] = iter(family_samples.samples)
    while chunk := list(islice(samples, _CHUNK_SAMPLES)):
        labels = tuple(values for values, _ in chunk)
        # Python's own hash is quick for texts, but the same for -1 and -2: numbers go in as they are.
        digest.update(hash(labels).to_bytes(8, "little", signed=True))
        digest.update(array("d", [value for _, value in chunk]).tobytes())
        if created:
            digest.update(array("d", [created.get(values, _NO_TIME) for values in labels]).tobytes())
    return digest.digest()
