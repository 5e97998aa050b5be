"""Looks at FOCUS files without storing anything: versions, providers, currencies, what is left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from exporter.sources.base import Finding, RefreshContext
from exporter.sources.files.findings import openable_files
from exporter.sources.files.reading import READ_FAILURES, first_line
from exporter.sources.focus.sql import OWNED_ELSEWHERE, invoice_month, known_category

PATTERNS_KEY: Final = "focus.files"
"""The configuration key of the patterns."""

_NAMES_SHOWN: Final = 5

Judge = Callable[[Path], tuple[str, str]]
"""Gives the FOCUS version of a file and the SELECT of its judged rows. Raises one of READ_FAILURES."""


@dataclass(slots=True)
class _Seen:
    """What all files hold together."""

    versions: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """FOCUS version -> names of files."""
    providers: Counter[str] = field(default_factory=Counter)
    """Rows of each, without those that are left out."""
    currencies: Counter[str] = field(default_factory=Counter)
    owned: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unknown_categories: Counter[str] = field(default_factory=Counter)
    folders: defaultdict[tuple[str, str, str], set[Path]] = field(default_factory=lambda: defaultdict(set))
    """Provider, billing account, invoice month -> folders of the files that have charges of them."""
    starts: list[datetime] = field(default_factory=list)
    """First and last start of a charge, of each group of rows; UTC without a zone."""

    def add(self, folder: Path, group: tuple[Any, ...]) -> None:
        """Take one group of rows, as `_GROUPS` gives them."""
        provider, account, currency, category, month, reason, rows, first, last = group
        if reason == OWNED_ELSEWHERE:
            self.owned[provider] += rows
            return
        if reason is not None:
            self.refused[reason] += rows
            return
        self.providers[provider] += rows
        self.currencies[currency] += rows
        if category is not None:
            self.unknown_categories[category] += rows
        self.folders[provider, account, month].add(folder)
        self.starts += (first, last)


_GROUPS: Final = f"""
SELECT provider, coalesce(billing_account_id, ''), billing_currency,
  CASE WHEN NOT ({known_category("told_category")} OR corrects) THEN coalesce(told_category, 'none') END
    AS category,
  {invoice_month("billing_period")} AS month, reason, count(*), min(period), max(period)
FROM ({{judged}}) GROUP BY ALL ORDER BY ALL"""


def findings(
    connection: duckdb.DuckDBPyConnection, patterns: Sequence[str], context: RefreshContext, judge: Judge
) -> Iterator[Finding]:
    """Yield what there is to say of the files. `connection` is one of `reading_connection`."""
    files = yield from openable_files(patterns, context, judge, key=PATTERNS_KEY)
    if not files:
        return
    seen = _Seen()
    for number, file in enumerate(files, 1):
        try:
            version, judged = judge(file.path)
            groups = connection.execute(_GROUPS.format(judged=judged)).fetchall()
        except READ_FAILURES as error:
            yield Finding(
                False, "unreadable file", f"{file.path} cannot be read to its end: {first_line(error)}"
            )
            continue
        seen.versions[version].append(file.path.name)
        for group in groups:
            seen.add(file.path.resolve().parent, group)
        context.tally.progress(f"{number} of {len(files)} files read")
    yield from _of_content(seen)
    yield from _of_what_is_left_out(seen)
    yield from _of_overlap(seen)


def _of_content(seen: _Seen) -> Iterator[Finding]:
    for version, names in sorted(seen.versions.items()):
        more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
        yield Finding(True, "FOCUS version", f"{version}: {', '.join(names[:_NAMES_SHOWN])}{more}")
    if not seen.providers:
        yield Finding(not seen.refused, "rows", "no row that can be used", warning=not seen.refused)
        return
    yield Finding(True, "providers", _counted(seen.providers))
    yield Finding(True, "currencies", _counted(seen.currencies))
    months = sorted({month for _, _, month in seen.folders} - {""})
    billed = f", on the bills of {months[0]} to {months[-1]}" if months else ""
    period = f"{min(seen.starts):%Y-%m-%d %H:%M} to {max(seen.starts):%Y-%m-%d %H:%M} UTC"
    yield Finding(True, "period", f"charges that start from {period}{billed}")


def _of_what_is_left_out(seen: _Seen) -> Iterator[Finding]:
    if seen.owned:
        detail = f"{_counted(seen.owned)}: left out, since another source reads that bill"
        yield Finding(True, OWNED_ELSEWHERE.replace("_", " "), detail)
    if seen.refused:
        told = ", ".join(f"{count:,} x {reason}" for reason, count in sorted(seen.refused.items()))
        yield Finding(True, "rows set aside", f"{told}; `serve` logs where", warning=True)
    if seen.unknown_categories:
        detail = f"{_counted(seen.unknown_categories)}: no category of FOCUS, counted as usage"
        yield Finding(True, "ChargeCategory", detail, warning=True)


def _of_overlap(seen: _Seen) -> Iterator[Finding]:
    """Exports that start a new folder at each run have the same month several times."""
    for (provider, account, month), folders in sorted(seen.folders.items()):
        if len(folders) > 1:
            shown = ", ".join(map(str, sorted(folders)[:_NAMES_SHOWN]))
            detail = (
                f"{provider} account {account}, bill of {month}, is in {len(folders)} folders ({shown}): if "
                "these are runs of one export it counts several times; let the export overwrite its files, "
                f"or narrow {PATTERNS_KEY}"
            )
            yield Finding(True, "same bill twice?", detail, warning=True)
            return


def _counted(rows: Mapping[str, int]) -> str:
    return ", ".join(
        f"{name} ({count:,} {'row' if count == 1 else 'rows'})" for name, count in sorted(rows.items())
    )
