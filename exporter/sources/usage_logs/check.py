"""Looks at usage logs without storing anything: what matches, what can be read, what a sample says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import PurePath
from typing import Final

from exporter.core.byte_sizes import size_text
from exporter.sources.base import Finding
from exporter.sources.files.reading import first_line, matching
from exporter.sources.llm.token_prices import TokenPrices
from exporter.sources.usage_logs.lines import UnusableLineError, read_call
from exporter.sources.usage_logs.tailing import READ_FAILURES, LogFile

_FILES_SAMPLED: Final = 20
_LINES_SAMPLED: Final = 500
"""Of each file."""
_SHOWN: Final = 5


@dataclass(slots=True)
class _Sample:
    calls: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    priced: set[str] = field(default_factory=set)
    unpriced: set[str] = field(default_factory=set)
    """Models, as `provider/model`."""


def findings(
    patterns: Sequence[str],
    files: Sequence[LogFile],
    unreadable: Sequence[str],
    prices: TokenPrices,
    latest_plausible: datetime,
) -> Iterator[Finding]:
    """Yield what there is to say of the files that the patterns match."""
    for pattern in patterns:
        yield _of_pattern(pattern)
    if not files and not unreadable:
        detail = (
            "no file matches any pattern: check llm.usage_logs, and that the folder is mounted and may be "
            "read by this user"
        )
        yield Finding(False, "usage logs", detail)
        return
    sample, failed = _Sample(), list(unreadable)
    newest = sorted(files, key=lambda file: -file.mtime_ns)
    for file in newest[:_FILES_SAMPLED]:
        try:
            _read_sample(file, sample, prices, latest_plausible)
        except READ_FAILURES as error:
            failed.append(f"{file.path}: {first_line(error)}")
    for text in failed[:_SHOWN]:
        yield Finding(False, "unreadable file", text)
    if len(failed) > _SHOWN:
        yield Finding(False, "unreadable files", f"{len(failed) - _SHOWN:,} more")
    yield from _of_sample(sample, min(len(files), _FILES_SAMPLED))


def _of_pattern(pattern: str) -> Finding:
    paths = matching(pattern)
    if not paths:
        return Finding(True, "pattern", f"{pattern}: no file matches", warning=True)
    size = 0
    for path in paths:
        try:
            size += path.stat().st_size
        except OSError:
            continue
    count = "1 file" if len(paths) == 1 else f"{len(paths):,} files"
    return Finding(True, "pattern", f"{pattern}: {count}, {size_text(size)}")


def _read_sample(file: LogFile, sample: _Sample, prices: TokenPrices, latest_plausible: datetime) -> None:
    with file.lines_after(None, chunk_bytes=1 << 16, longest_line=1 << 20) as lines:
        for line in islice(lines, _LINES_SAMPLED):
            if line.content is None:
                sample.refused["line_too_long"] += 1
                continue
            if not line.content.strip():
                continue
            try:
                call = read_call(line.content, latest_plausible)
            except UnusableLineError as error:
                sample.refused[error.reason] += 1
                continue
            sample.calls += 1
            if call.cost_usd is None:
                model = str(PurePath(call.provider) / call.model)
                priced = prices.price(call.provider, call.model, call.tokens, call.at)
                (sample.unpriced if priced is None else sample.priced).add(model)


def _of_sample(sample: _Sample, files: int) -> Iterator[Finding]:
    refused = sample.refused.total()
    read = sample.calls + refused
    if not read:
        yield Finding(True, "lines", "no whole line in any file yet", warning=True)
        return
    where = "the newest file" if files == 1 else f"the {files} newest files"
    yield Finding(
        sample.calls > 0,
        "lines",
        f"{sample.calls:,} of {read:,} lines at the start of {where} can be counted",
    )
    if refused:
        told = ", ".join(f"{count:,} x {reason}" for reason, count in sample.refused.most_common())
        yield Finding(True, "lines set aside", f"{told}; `serve` logs where", warning=True)
    if sample.unpriced:
        shown = ", ".join(sorted(sample.unpriced)[:_SHOWN])
        more = f" and {len(sample.unpriced) - _SHOWN} more" if len(sample.unpriced) > _SHOWN else ""
        detail = (
            f"{shown}{more}: nobody knows a list price, so their tokens are counted without one; a "
            "`cost_usd` in each line gives their cost"
        )
        yield Finding(True, "models without a price", detail, warning=True)
    elif sample.priced:
        yield Finding(True, "prices", f"a list price is known for all {len(sample.priced):,} models found")
