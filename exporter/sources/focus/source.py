"""Source `focus`: any provider's cost export in the FinOps FOCUS format, as CSV or Parquet files.

Each file is a partition, as in the source `files`; one file can hold the bills of several providers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Final

import duckdb

from exporter.core.charges import EARLIEST_PLAUSIBLE
from exporter.core.kept_tags import cursor_mark, kept_tags
from exporter.core.sql_texts import quoted
from exporter.core.sql_times import sql_time
from exporter.sources.base import Change, Finding, RefreshContext, Rejected, Source
from exporter.sources.files.file_reading import FileReading, read_reconciled, spool_path
from exporter.sources.files.fingerprint import fingerprint_of
from exporter.sources.files.group_reading import FILE, WRITTEN, GroupReader, Shaped, several
from exporter.sources.files.partitions import changed_files, refused_rows, unparsed_lines
from exporter.sources.files.places import FilePlaces
from exporter.sources.files.reading import (
    ATTEMPTS,
    Attempt,
    aggregated_in,
    reading_connection,
    write_parquet,
)
from exporter.sources.files.resources import ResourceColumns, SameResourcesOnce
from exporter.sources.focus.check import PATTERNS_KEY, findings
from exporter.sources.focus.columns import Cost, FocusColumns, focus_file
from exporter.sources.focus.sql import (
    INVOICE_ONLY,
    LARGEST_RATE,
    OWNED_ELSEWHERE,
    RATE_DECIMALS,
    REASONS,
    FocusReading,
    aggregate,
    charges_of,
    judged_rows,
)
from exporter.sources.objects.mirror import ObjectMirror

logger = logging.getLogger(__name__)

_READING_VERSION: Final = "4"
"""Raised when the same file would be read to other charges, so that ledgers read it again."""

_RESOURCES: Final = ResourceColumns(
    of_one_format=("ResourceId", "ResourceName", "Tags"), of_any_format=("ResourceId",)
)


@dataclass(slots=True)
class FocusSource(Source):
    """FOCUS files. `patterns` are absolute globs, or addresses of objects; `**` reaches into subfolders."""

    patterns: Sequence[str]
    objects: ObjectMirror | None = field(default=None, kw_only=True, repr=False)
    """What reads the buckets among the patterns."""
    update_interval: timedelta = field(default=timedelta(minutes=15), kw_only=True)
    cost: Cost = field(default="billed", kw_only=True)
    """BilledCost sums to the invoices; EffectiveCost spreads what was paid ahead over what it covers."""
    usd_per: Mapping[str, Decimal] = field(default_factory=dict, kw_only=True)
    """Currency code -> dollars for a unit of it. Rows in currencies that are not here are set aside."""
    owned_by_others: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Providers whose bills another source reads: their rows are left out, so that no dollar counts twice."""
    kept_tags: tuple[str, ...] = field(default=(), kw_only=True)
    """Keys of Tags that come with the charges, such as `label:team`."""
    attempts: Sequence[Attempt] = field(default=ATTEMPTS, kw_only=True)
    name: str = field(default="focus", init=False)
    provider: str = field(default="", init=False)
    """No one provider: each charge has its own."""
    billing_timezone: str = field(default="UTC", init=False)
    """FOCUS has all its times in UTC."""
    _told: set[str] = field(default_factory=set, init=False, repr=False)
    _compared: dict[tuple[str, ...], float] = field(default_factory=dict, init=False, repr=False)
    """What SameResourcesOnce found."""

    def __post_init__(self) -> None:
        """Raise ValueError where a rate is none."""
        self.usd_per = {
            currency.upper(): _checked_rate(currency, rate) for currency, rate in self.usd_per.items()
        }

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        """Yield the files that changed or are gone, as changed_files does. Raises SourceError as it does."""
        places = FilePlaces.of(self.patterns, self.objects, context)
        same = self._same(places, context)
        return changed_files(
            places,
            context,
            self._read,
            self._together(context),
            same=same,
            version=self._version(),
            key=PATTERNS_KEY,
        )

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Say what the patterns match, what cannot be read, and what all files hold; reads each one whole."""
        places = FilePlaces.of(self.patterns, self.objects, context)
        with reading_connection(context.spool, *self.attempts[-1]) as connection:
            found = findings(
                connection,
                places,
                places.with_paths(context),
                lambda path, data: self._judged(connection, path, data, context),
                same=self._same(places, context),
                cost=self.cost,
                every=self.update_interval,
            )
            yield from places.findings(found)

    def _same(self, places: FilePlaces, context: RefreshContext) -> SameResourcesOnce:
        return SameResourcesOnce(
            _RESOURCES,
            lambda: reading_connection(context.spool, *self.attempts[-1]),
            self._compared,
            places,
        )

    def _read(self, path: Path, state: str, context: RefreshContext) -> FileReading:
        spool = spool_path(context, path, state)
        return read_reconciled(
            lambda connection, data: self._read_with(connection, path, data, spool, context),
            path,
            spool,
            self.attempts,
        )

    def _read_with(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        data: Path,
        spool: Path,
        context: RefreshContext,
    ) -> FileReading:
        _, judged = self._judged(connection, path, data, context)
        with aggregated_in(connection, aggregate(judged), spool):
            write_parquet(connection, charges_of("aggregated", self.usd_per), spool)
            rows, refused, records = connection.execute(
                f"""SELECT coalesce(sum(export_rows) FILTER (reason IS NULL), 0),
                      coalesce(sum(export_rows) FILTER (reason <> '{OWNED_ELSEWHERE}'), 0),
                      coalesce(sum(export_rows), 0) FROM aggregated"""
            ).fetchall()[0]
            fingerprint = fingerprint_of(
                connection, "aggregated", ("billed_cost",), by_export=False, counting=INVOICE_ONLY
            )
            self._tell_owned(connection, path)
            rejected = self._rejected(connection, path, judged) if refused else []
            unparsed = unparsed_lines(connection, path)
            return FileReading(spool, int(rows), tuple(rejected), fingerprint, int(records), unparsed)

    def _judged(
        self, connection: duckdb.DuckDBPyConnection, path: Path, data: Path, context: RefreshContext
    ) -> tuple[FocusColumns, str]:
        """Return the columns of a file and the SELECT of its judged rows, which are read from `data`.

        Raises one of READ_FAILURES.
        """
        table, columns = focus_file(connection, data, self.cost)
        reading = self._reading(sql_time(_written(path, context)), "0", context)
        return columns, judged_rows(table, columns, reading)

    def _reading(self, written: str, file: str, context: RefreshContext) -> FocusReading:
        return FocusReading(
            cost=self.cost,
            usd_per=self.usd_per,
            owned_by_others=self.owned_by_others,
            written=written,
            now=context.now,
            latest_plausible=context.latest_plausible,
            kept=kept_tags(self.kept_tags),
            file=file,
        )

    def _together(self, context: RefreshContext) -> GroupReader:
        """Return what reads many small files at once."""
        reading = self._reading(WRITTEN, FILE, context)

        def shaped(connection: duckdb.DuckDBPyConnection, path: Path) -> Shaped:
            table, columns = focus_file(connection, path, self.cost)
            return Shaped(
                (table.replace(quoted(path), "", 1), *map(str, columns.types.values())),
                lambda paths: several(table, paths),
                lambda rows: aggregate(judged_rows(rows, columns, reading)),
            )

        return GroupReader(
            shaped,
            charges_of("aggregated", self.usd_per, "file"),
            amounts=("billed_cost",),
            by_export=False,
            written=lambda path: _written(path, context),
        )

    def _tell_owned(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        """Log once for each provider that its rows are left out."""
        owned = connection.execute(
            "SELECT provider, sum(export_rows) FROM aggregated WHERE reason = ? GROUP BY provider",
            [OWNED_ELSEWHERE],
        ).fetchall()
        for provider, rows in owned:
            if provider not in self._told:
                self._told.add(provider)
                logger.info(
                    "focus: rows of %s are left out, since another source reads its bill (%d in %s)",
                    provider,
                    rows,
                    path,
                )

    def _rejected(self, connection: duckdb.DuckDBPyConnection, path: Path, judged: str) -> list[Rejected]:
        currencies = connection.execute(
            "SELECT DISTINCT billing_currency FROM aggregated WHERE reason = 'no_usd_rate' "
            "ORDER BY ALL LIMIT 3"
        ).fetchall()
        without_rate = f"{', '.join(name for (name,) in currencies)}: {REASONS['no_usd_rate']}"
        return refused_rows(connection, path, judged, {**REASONS, "no_usd_rate": without_rate})

    def _version(self) -> str:
        """What besides the file decides its charges; files are read again where that changes."""
        said = repr((self.cost, sorted(self.usd_per.items()), sorted(self.owned_by_others)))
        options = blake2b(said.encode(), digest_size=6).hexdigest()
        return f"{_READING_VERSION}-{options}{cursor_mark(kept_tags(self.kept_tags))}"


def _written(path: Path, context: RefreshContext) -> datetime:
    """When a file was written, which cannot be ahead of the clock."""
    return max(min(datetime.fromtimestamp(path.stat().st_mtime, UTC), context.now), EARLIEST_PLAUSIBLE)


def _checked_rate(currency: str, rate: Decimal) -> Decimal:
    smallest = Decimal(1).scaleb(-RATE_DECIMALS)
    if not (rate.is_finite() and smallest <= rate < LARGEST_RATE):
        raise ValueError(
            f"focus.usd_per.{currency}: {rate} is not a plausible rate; "
            f"set the value of one {currency} in US dollars"
        )
    return rate.quantize(smallest)
