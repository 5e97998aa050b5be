"""Bytes are the same wherever they are kept, and a file in memory is no part of the process."""

from __future__ import annotations

import gzip
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.metrics.exposition.exposition import Renderer, render
from exporter.metrics.exposition.kept_bytes import SHARED, HeapBytes, MemoryFile, NewBytes
from exporter.metrics.families import Family, FamilySamples

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")

ONE = Family("one_usd", "gauge", ("sku",), "One.", "usd")
CALLS = Family("calls_total", "counter", ("sku",), "Calls.")
MANY = 20_000


def _families(one: float) -> list[FamilySamples]:
    # More than is copied at once.
    return [
        FamilySamples(ONE, [((f"{number:08d}",), one) for number in range(MANY)]),
        FamilySamples(CALLS, [((f"{number:08d}",), 1.0) for number in range(MANY)], {("00000000",): 5.0}),
    ]


@pytest.mark.parametrize("new_bytes", [HeapBytes, MemoryFile])
def test_pieces_are_read_back_in_their_order(new_bytes: NewBytes) -> None:
    kept = new_bytes()
    pieces = [b"a" * 300_000, b"", memoryview(b"bc"), b"d" * 300_000]
    for piece in pieces:
        kept.append(piece)
    kept.complete()
    whole = b"".join(pieces)
    assert (kept.read(), kept.size, kept.crc) == (whole, len(whole), zlib.crc32(whole))
    assert b"".join(bytes(chunk) for chunk in kept.chunks(299_999, 300_003)) == b"abcd"
    assert b"".join(bytes(chunk) for chunk in kept.chunks(1, 300_001)) == whole[1:300_001]


@pytest.mark.slow
def test_what_is_kept_in_memory_files_is_rendered_the_same() -> None:
    renderer = Renderer(SHARED)
    for one in (1.0, 2.0, 2.0):
        shown, wanted = renderer.render(_families(one)), render(_families(one))
        assert (shown.text, shown.openmetrics) == (wanted.text, wanted.openmetrics)
        assert gzip.decompress(shown.text_gzip) == wanted.text
        assert shown.openmetrics_gzip == wanted.openmetrics_gzip


@pytest.mark.slow
def test_the_files_of_an_exposition_that_nobody_has_are_closed() -> None:
    renderer = Renderer(SHARED)
    renderer.render(_families(0.0))
    before = _open_files()
    for one in range(1, 4):
        renderer.render(_families(float(one)))
    assert _open_files() == before


@pytest.mark.slow
def test_what_could_not_be_rendered_leaves_no_file_open() -> None:
    renderer = Renderer(SHARED)
    renderer.render(_families(0.0))
    before = _open_files()
    wrong = FamilySamples(ONE, [(("a",), 1.0), (("a",), 2.0)])
    with pytest.raises(ValueError, match="the same labels twice"):
        renderer.render([wrong])
    assert _open_files() == before


def test_a_file_in_memory_is_not_mapped_by_the_process_that_writes_it() -> None:
    kept = MemoryFile()
    kept.append(b"x" * 1_000_000)
    assert kept.read()[:1] == b"x"
    assert "/memfd:exposition" not in Path("/proc/self/maps").read_text(encoding="utf-8")


def _open_files() -> int:
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        # The folder's own descriptor is closed by now.
        with suppress(OSError):
            found += "memfd:exposition" in str(entry.readlink())
    return found
