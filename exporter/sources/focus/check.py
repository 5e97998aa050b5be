"""Looks at FOCUS files without storing anything: versions, providers, currencies, what is left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from exporter.sources.base import Finding, RefreshContext, Rejected
from exporter.sources.files.comparison import FileComparison
from exporter.sources.files.findings import FoundFile, broken_findings, openable_files
from exporter.sources.files.fingerprint import Fingerprint, fingerprint_of
from exporter.sources.files.overlap_check import overlap_findings
from exporter.sources.files.places import FilePlaces
from exporter.sources.files.reading import READ_FAILURES, first_line
from exporter.sources.files.reconciling import reconciled
from exporter.sources.focus.columns import COST_COLUMNS, Cost, FocusColumns
from exporter.sources.focus.sql import INVOICE_ONLY, OWNED_ELSEWHERE, aggregate, invoice_month, known_category

PATTERNS_KEY: Final = "focus.files"
"""The configuration key of the patterns."""

_NAMES_SHOWN: Final = 5

Judge = Callable[[Path, Path], tuple[FocusColumns, str]]
"""Gives the columns of a file and the SELECT of its judged rows, as read from the second path.

Raises one of READ_FAILURES."""


class _Look(NamedTuple):
    """One file, read whole."""

    columns: FocusColumns
    groups: list[tuple[Any, ...]]
    """As _GROUPS gives them."""
    fingerprint: Fingerprint
    records: int
    unparsed: frozenset[int] = frozenset()


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
    months: set[str] = field(default_factory=set)
    folders: defaultdict[tuple[str, str, str], defaultdict[Path, set[datetime]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    """Provider, billing account, invoice month -> the folders of its files -> the days that they have."""
    sums: defaultdict[str, list[Decimal]] = field(
        default_factory=lambda: defaultdict(lambda: [Decimal(0), Decimal(0)])
    )
    """Currency -> the billed and the effective cost of the rows that count."""
    lacking: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Cost -> names of files that do not have it."""
    unread_tags: dict[str, str] = field(default_factory=dict)
    """Name of a file -> the shape of its tags, where none can be read from it."""
    tag_texts: dict[str, str] = field(default_factory=dict)
    """Name of a file -> Tags of one of its rows that are text and no JSON."""
    starts: list[datetime] = field(default_factory=list)
    """First and last start of a charge, of each group of rows; UTC without a zone."""

    def add(self, path: Path, look: _Look) -> None:
        """Take what a file holds."""
        self.versions[look.columns.version].append(path.name)
        for each, names in COST_COLUMNS.items():
            if all(map(look.columns.lacks, names)):
                self.lacking[each].append(path.name)
        if (shape := look.columns.unread_tags) is not None:
            self.unread_tags[path.name] = shape
        for group in look.groups:
            self._add(path, group)

    def _add(self, path: Path, group: tuple[Any, ...]) -> None:
        provider, account, currency, category, month, day, reason, rows, first, last, unread_tags, *costs = (
            group
        )
        if unread_tags is not None:
            self.tag_texts.setdefault(path.name, unread_tags)
        if reason == OWNED_ELSEWHERE:
            self.owned[provider] += rows
            return
        if reason is not None:
            self.refused[reason] += rows
            return
        self.providers[provider] += rows
        self.currencies[currency] += rows
        self.sums[currency] = [
            known + (cost or 0) for known, cost in zip(self.sums[currency], costs, strict=True)
        ]
        if category is not None:
            self.unknown_categories[category] += rows
        self.months.add(month)
        self.folders[provider, account, month][path.resolve().parent].add(day)
        self.starts += (first, last)


_GROUPS: Final = f"""
SELECT provider, coalesce(billing_account_id, ''), billing_currency,
  CASE WHEN NOT ({known_category("told_category")} OR corrects) THEN coalesce(told_category, 'none') END
    AS category,
  {invoice_month("billing_period")} AS month, date_trunc('day', period) AS day,
  reason, count(*), min(period), max(period), any_value(unread_tags),
  sum(as_billed), sum(as_effective)
FROM ({{judged}}) GROUP BY ALL ORDER BY ALL"""


def _look(connection: duckdb.DuckDBPyConnection, path: Path, data: Path, judge: Judge) -> _Look:
    columns, judged = judge(path, data)
    groups = connection.execute(_GROUPS.format(judged=judged)).fetchall()
    connection.execute(f"CREATE OR REPLACE TEMP TABLE aggregated AS {aggregate(judged)}")
    fingerprint = fingerprint_of(
        connection, "aggregated", ("billed_cost",), by_export=False, counting=INVOICE_ONLY
    )
    records = connection.execute("SELECT coalesce(sum(export_rows), 0) FROM aggregated").fetchall()[0][0]
    return _Look(columns, groups, fingerprint, int(records))


def findings(
    connection: duckdb.DuckDBPyConnection,
    places: FilePlaces,
    context: RefreshContext,
    judge: Judge,
    *,
    same: FileComparison,
    cost: Cost,
    every: timedelta,
) -> Iterator[Finding]:
    """Yield what there is to report of the files. `connection` is one of `reading_connection`.

    `same` distinguishes files of other resources; `cost` is the one that counts, `every` the interval of
    refreshes.
    """
    files = yield from openable_files(
        places, context, lambda path: judge(path, path), key=PATTERNS_KEY, every=every
    )
    if not files:
        return
    looks: dict[Path, _Look] = {}
    failed: list[Finding] = []
    broken: list[Rejected] = []

    def fingerprint(file: FoundFile) -> Fingerprint:
        try:
            with places.readable([file.path]):
                look, of_file = reconciled(
                    lambda data: _look(connection, file.path, data, judge),
                    file.path,
                    context.spool / "look.csv",
                )
            looks[file.path] = look
            broken.extend(of_file)
        except READ_FAILURES as error:
            detail = f"{file.path} cannot be read to its end: {first_line(error)}"
            failed.append(Finding(False, "unreadable file", detail))
            raise
        context.tally.progress(f"{len(looks)} of {len(files)} files read")
        return look.fingerprint

    counting = yield from overlap_findings(files, fingerprint, same)
    yield from failed
    yield from broken_findings(broken)
    seen = _Seen()
    for path in sorted(looks.keys() & counting):
        seen.add(path, looks[path])
    yield from _of_content(seen)
    yield from _of_cost(seen, cost)
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
    months = sorted(seen.months - {""})
    billed = f", on the bills of {months[0]} to {months[-1]}" if months else ""
    period = f"{min(seen.starts):%Y-%m-%d %H:%M} to {max(seen.starts):%Y-%m-%d %H:%M} UTC"
    yield Finding(True, "period", f"charges that start from {period}{billed}")


def _of_cost(seen: _Seen, cost: Cost) -> Iterator[Finding]:
    """Report both costs, so that the choice between them is one of knowledge."""
    if not seen.sums:
        return
    listed = "; ".join(
        f"{currency}: billed {billed:,.2f}, effective {effective:,.2f}"
        for currency, (billed, effective) in sorted(seen.sums.items())
    )
    lacking = "".join(
        f"; {', '.join(names[:_NAMES_SHOWN])} {'has' if len(names) == 1 else 'have'} no {each} cost"
        for each, names in sorted(seen.lacking.items())
    )
    meaning = "sums to the invoices" if cost == "billed" else "spreads prepaid cost over the time it covers"
    yield Finding(True, "cost", f"{listed}{lacking}; focus.cost is {cost}: this cost counts, and {meaning}")


def _of_what_is_left_out(seen: _Seen) -> Iterator[Finding]:
    if seen.owned:
        detail = f"{_counted(seen.owned)}: left out, since another source reads that bill"
        yield Finding(True, OWNED_ELSEWHERE.replace("_", " "), detail)
    if seen.refused:
        listed = ", ".join(f"{count:,} x {reason}" for reason, count in sorted(seen.refused.items()))
        yield Finding(True, "rows set aside", f"{listed}; `serve` logs where", warning=True)
    if seen.unread_tags:
        shown = ", ".join(f"{shape} in {name}" for name, shape in sorted(seen.unread_tags.items()))
        detail = f"Tags of the type {shown} cannot be read; use a map, JSON, or a list of keys and values"
        yield Finding(True, "Tags", detail, warning=True)
    if seen.tag_texts:
        shown = ", ".join(
            f"{text!r} in {name}" for name, text in sorted(seen.tag_texts.items())[:_NAMES_SHOWN]
        )
        detail = f"no tag can be read from {shown}: Tags in text have to be JSON, an object or a list"
        yield Finding(True, "Tags", detail, warning=True)
    if seen.unknown_categories:
        detail = f"{_counted(seen.unknown_categories)}: not a category of FOCUS, counted as usage"
        yield Finding(True, "ChargeCategory", detail, warning=True)


def _of_overlap(seen: _Seen) -> Iterator[Finding]:
    """Two folders with other rows for the same days: perhaps two exports of one bill, in other words."""
    for (provider, account, month), folders in sorted(seen.folders.items()):
        for (one, days), (other, others) in combinations(sorted(folders.items()), 2):
            if 2 * len(days & others) > min(len(days), len(others)):
                detail = (
                    f"{provider} account {account}, bill of {month}: {one} and {other} both have "
                    f"{len(days & others)} of its days, with other rows: if these are two exports of one "
                    "bill it counts twice; "
                    f"narrow {PATTERNS_KEY} to one of them"
                )
                yield Finding(True, "same bill twice?", detail, warning=True)
                return


def _counted(rows: Mapping[str, int]) -> str:
    return ", ".join(
        f"{name} ({count:,} {'row' if count == 1 else 'rows'})" for name, count in sorted(rows.items())
    )
