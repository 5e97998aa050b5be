"""A rendered exposition in memory that the exporter and its front share, without a copy for each."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.metrics.exposition.exposition import Exposition
from exporter.web.content_negotiation import Format


def written(exposition: Exposition) -> tuple[int, tuple[int, ...]]:
    """Return a file in memory with the exposition, and the lengths of its parts. Raises OSError."""
    parts = (
        exposition.text,
        exposition.openmetrics,
        exposition.text_gzip,
        exposition.openmetrics_gzip,
    )
    file = os.memfd_create("exposition")
    try:
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[os.write(file, rest) :]
    except OSError:
        os.close(file)
        raise
    return file, tuple(len(part) for part in parts)


@dataclass(frozen=True, slots=True)
class SharedExposition:
    """The parts of an exposition; memory that no other process changes."""

    text: memoryview
    openmetrics: memoryview
    text_gzip: memoryview
    openmetrics_gzip: memoryview

    @classmethod
    def of_file(cls, file: int, lengths: Sequence[int]) -> SharedExposition:
        """Return what `written` wrote; the file may then be closed. Raises OSError."""
        if not any(lengths):
            return cls(*[memoryview(b"")] * 4)
        whole = memoryview(mmap.mmap(file, sum(lengths), prot=mmap.PROT_READ))
        ends = [sum(lengths[: number + 1]) for number in range(len(lengths))]
        return cls(*[whole[end - length : end] for end, length in zip(ends, lengths, strict=True)])

    def part(self, form: Format, *, gzipped: bool) -> memoryview:
        """Return the bytes for one format and encoding."""
        if gzipped:
            return self.openmetrics_gzip if form == "openmetrics" else self.text_gzip
        return self.openmetrics if form == "openmetrics" else self.text
