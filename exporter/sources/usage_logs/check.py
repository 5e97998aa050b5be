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
from exporter.sources.files.places import FilePlaces
from exporter.sources.files.reading import first_line
from exporter.sources.llm.token_prices import TokenPrices
from exporter.sources.usage_logs.calls import COSTING_NOTHING, Call
from exporter.sources.usage_logs.lines import LineContent, plain_content, read_line
from exporter.sources.usage_logs.refusals import REASONS
from exporter.sources.usage_logs.tailing import LONGEST_LINE, READ_FAILURES, LogFile

_FILES_SAMPLED: Final = 20
_LINES_SAMPLED: Final = 500
"""Of each file."""
_SHOWN: Final = 5


@dataclass(slots=True)
class _Sample:
    lines: int = 0
    """Those that are not empty."""
    useful_lines: int = 0
    """Those with calls that can be counted, or that cost nothing."""
    refused: Counter[str] = field(default_factory=Counter)
    what: dict[str, str] = field(default_factory=dict)
    """By reason: what exactly was wrong with the first line."""
    costing_nothing: Counter[str] = field(default_factory=Counter)
    priced: set[str] = field(default_factory=set)
    unpriced: set[str] = field(default_factory=set)
    """Models, as `provider/model` with the terms of the call."""

    fees: Counter[str] = field(default_factory=Counter)
    """What costs a fee beside tokens, by meter."""

    def add(self, content: LineContent, prices: TokenPrices) -> None:
        """Take what one line has."""
        self.useful_lines += bool(content.calls or content.costing_nothing or not content.refused)
        self.costing_nothing += content.costing_nothing
        for error in content.refused:
            self.refused[error.reason] += 1
            if error.what:
                self.what.setdefault(error.reason, error.what)
        for call in content.calls:
            self.fees.update(call.unpriced_fees)
            if call.cost_usd is None:
                if not any(call.tokens.by_type().values()) and call.unpriced_fees:
                    continue
                priced = prices.price(call.priced_as, call.model, call.tokens, call.at, terms=call.terms)
                known = priced is not None and not priced.unpriced
                (self.priced if known else self.unpriced).add(_named(call, partly=priced is not None))


def findings(
    places: FilePlaces,
    files: Sequence[LogFile],
    unreadable: Sequence[str],
    prices: TokenPrices,
    latest_plausible: datetime,
) -> Iterator[Finding]:
    """Yield the findings about the files that the patterns match."""
    for pattern in places.patterns:
        yield _of_pattern(pattern, places)
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


def _of_pattern(pattern: str, places: FilePlaces) -> Finding:
    paths = places.matching(pattern)
    if not paths:
        return Finding(True, "pattern", f"{pattern}: no file matches", warning=True)
    size = sum(map(places.size, paths))
    count = "1 file" if len(paths) == 1 else f"{len(paths):,} files"
    return Finding(True, "pattern", f"{pattern}: {count}, {size_text(size)}")


def _named(call: Call, *, partly: bool) -> str:
    """Return the model of a call, with what may make its price another one."""
    terms = " ".join(
        each
        for each in (call.terms.service_tier, call.terms.speed, call.terms.inference_geo)
        if each not in ("", "default", "standard", "global")
    )
    kinds = " ".join(dict.fromkeys(part.kind for part in call.tokens.parts)) if partly else ""
    aside = " ".join(filter(None, (terms, kinds)))
    return str(PurePath(call.provider) / call.model) + (f" ({aside})" if aside else "")


def _read_sample(file: LogFile, sample: _Sample, prices: TokenPrices, latest_plausible: datetime) -> None:
    with file.lines_after(None, chunk_bytes=1 << 16, longest_line=LONGEST_LINE) as lines:
        for line in islice(lines, _LINES_SAMPLED):
            if line.content is None:
                sample.lines += 1
                sample.refused["line_too_long"] += 1
            elif content := plain_content(line.content):
                sample.lines += 1
                sample.add(read_line(content, latest_plausible), prices)


def _of_sample(sample: _Sample, files: int) -> Iterator[Finding]:
    if not sample.lines:
        yield Finding(True, "lines", "no whole line in any file yet", warning=True)
        return
    where = "the newest file" if files == 1 else f"the {files} newest files"
    yield Finding(
        sample.useful_lines > 0,
        "lines",
        f"{sample.useful_lines:,} of {sample.lines:,} lines at the start of {where} can be counted",
    )
    for reason, count in sample.refused.most_common():
        what = f" ({sample.what[reason]})" if reason in sample.what else ""
        detail = f"{count:,} x {reason}: {REASONS[reason]}{what}; `serve` logs where"
        yield Finding(True, "lines set aside", detail, warning=True)
    for kind, count in sorted(sample.costing_nothing.items()):
        yield Finding(True, "not counted", f"{count:,} x {kind}: {COSTING_NOTHING[kind]}")
    if sample.fees:
        shown = ", ".join(
            f"{count:,} x {meter.removeprefix('llm_').replace('_', ' ')}"
            for meter, count in sorted(sample.fees.items())
        )
        detail = (
            f"{shown}: their fees beside the tokens are in no estimate, and are counted in "
            "spend_llm_unpriced_fees_total; a `cost_usd` in each line gives their cost"
        )
        yield Finding(True, "fees without a price", detail, warning=True)
    if sample.unpriced:
        shown = ", ".join(sorted(sample.unpriced)[:_SHOWN])
        more = f" and {len(sample.unpriced) - _SHOWN} more" if len(sample.unpriced) > _SHOWN else ""
        detail = (
            f"{shown}{more}: no list price is known for some or all of their tokens, which are counted "
            "without one in spend_llm_unpriced_tokens_total; a `cost_usd` in each line gives their cost"
        )
        yield Finding(True, "models without a price", detail, warning=True)
    elif sample.priced:
        yield Finding(True, "prices", f"a list price is known for all {len(sample.priced):,} models found")
