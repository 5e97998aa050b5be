"""A rendered exposition in memory that the exporter and its front share, without a copy for each."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.metrics.exposition.exposition import Exposition
from exporter.metrics.exposition.kept_bytes import KeptBytes, MemoryFile
from exporter.web.content_negotiation import Format


def shared(exposition: Exposition) -> list[MemoryFile]:
    """Return the parts of an exposition as files in memory: its own ones, or copies. Raises OSError."""
    return [part if isinstance(part, MemoryFile) else _copy(part) for part in exposition.parts]


def _copy(part: KeptBytes) -> MemoryFile:
    copy = MemoryFile()
    copy.append(part.read())
    return copy


@dataclass(frozen=True, slots=True)
class SharedExposition:
    """The parts of an exposition; memory that no other process changes."""

    text: memoryview
    openmetrics: memoryview
    text_gzip: memoryview
    openmetrics_gzip: memoryview

    @classmethod
    def of_files(cls, files: Sequence[int], lengths: Sequence[int]) -> SharedExposition:
        """Return what `shared` returned; the files may then be closed. Raises OSError."""
        return cls(
            *[
                # An empty file cannot be mapped.
                memoryview(mmap.mmap(file, length, prot=mmap.PROT_READ) if length else b"")
                for file, length in zip(files, lengths, strict=True)
            ]
        )

    def part(self, form: Format, *, gzipped: bool) -> memoryview:
        """Return the bytes for one format and encoding."""
        if gzipped:
            return self.openmetrics_gzip if form == "openmetrics" else self.text_gzip
        return self.openmetrics if form == "openmetrics" else self.text
