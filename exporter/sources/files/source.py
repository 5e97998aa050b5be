"""Source `files`: a Google billing export lying in Parquet, CSV or JSON Lines files, read by DuckDB.

Each file is a partition: one that appears, grows or is replaced is read again whole; one that is gone
takes its charges with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import duckdb

from exporter.core.kept_tags import cursor_mark, kept_tags
from exporter.core.sql_texts import quoted
from exporter.sources.base import Change, Finding, RefreshContext, Rejected, Source
from exporter.sources.files.check import PATTERNS_KEY, findings
from exporter.sources.files.file_reading import FileReading, read_reconciled, spool_path
from exporter.sources.files.findings import FoundFile, found_files
from exporter.sources.files.fingerprint import Fingerprint, fingerprint_of
from exporter.sources.files.group_reading import FILE, GroupReader, Shaped, several
from exporter.sources.files.overlap_check import known_fingerprint, newest_within, overlap_findings
from exporter.sources.files.partitions import changed_files, refused_rows, unparsed_lines
from exporter.sources.files.places import FilePlaces
from exporter.sources.files.reading import (
    ATTEMPTS,
    Attempt,
    aggregated_in,
    described,
    reading_connection,
    write_parquet,
)
from exporter.sources.files.resources import ResourceColumns, SameResourcesOnce
from exporter.sources.google.export.sql import (
    INVOICE_ONLY,
    REASONS,
    aggregate,
    charges_of,
    examples,
    judged_rows,
)
from exporter.sources.objects.mirror import ObjectMirror

_READING_VERSION: Final = "5"
"""Raised when the same file would be read to other charges, so that ledgers read it again."""

_RESOURCES: Final = ResourceColumns(of_one_format=("labels", "resource", "system_labels", "tags"))


@dataclass(frozen=True, slots=True)
class FilesSource(Source):
    """A billing export in files. `patterns` are absolute globs or addresses of objects; `**`: any folders."""

    patterns: Sequence[str]
    objects: ObjectMirror | None = field(default=None, kw_only=True, repr=False)
    """What reads the buckets among the patterns."""
    attempts: Sequence[Attempt] = ATTEMPTS
    kept_tags: tuple[str, ...] = ()
    """Labels and tags that come with the charges, such as `label:team` and `tag:env`."""
    looks_every: timedelta = field(default=timedelta(minutes=15), kw_only=True)
    """How often it is refreshed, to say what that costs."""
    name: str = field(default="files", init=False)
    provider: str = field(default="gcp", init=False)
    billing_timezone: str = field(default="America/Los_Angeles", init=False)
    _compared: dict[tuple[str, ...], float] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What SameResourcesOnce found."""

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        """Yield files that changed or are gone, as changed_files does. Raises SourceError as it does."""
        version = _READING_VERSION + cursor_mark(kept_tags(self.kept_tags))
        places = FilePlaces.of(self.patterns, self.objects, context)
        same = self._same(places, context)
        return changed_files(
            places,
            context,
            self._read,
            self._together(context),
            same=same,
            version=version,
            key=PATTERNS_KEY,
        )

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Report what the patterns match, what cannot be read, and what the newest file holds."""
        places = FilePlaces.of(self.patterns, self.objects, context)
        with reading_connection(context.spool, *self.attempts[-1]) as connection:
            yield from places.findings(findings(connection, places, context, self.looks_every))
        yield from places.findings(self._overlaps(places, places.with_paths(context)))

    def _overlaps(self, places: FilePlaces, context: RefreshContext) -> Iterator[Finding]:
        """Compare the newest files, reading those that the ledger does not know."""
        found = found_files(places, places.all_files())
        if len(found) < 2:
            return
        files, others = newest_within(found)

        def fingerprint(file: FoundFile) -> Fingerprint:
            known = known_fingerprint(context, file)
            if known is not None:
                return known
            with places.readable([file.path]):
                reading = self._read(file.path, "check", context)
            reading.charges.unlink()
            return reading.fingerprint

        yield from overlap_findings(files, fingerprint, self._same(places, context))
        if others:
            detail = f"{others:,} older files were not compared with the newer ones; `serve` compares all"
            yield Finding(True, "repeated files", detail)

    def _same(self, places: FilePlaces, context: RefreshContext) -> SameResourcesOnce:
        return SameResourcesOnce(
            _RESOURCES,
            lambda: reading_connection(context.spool, *self.attempts[-1]),
            self._compared,
            places,
        )

    def _together(self, context: RefreshContext) -> GroupReader:
        """Return what reads many small files at once."""

        def shaped(connection: duckdb.DuckDBPyConnection, path: Path) -> Shaped:
            table, columns = described(connection, path, kept_tags(self.kept_tags))
            return Shaped(
                (table.replace(quoted(path), "", 1), *map(str, columns.types.values())),
                lambda paths: several(table, paths),
                lambda rows: aggregate(judged_rows(rows, columns, context.latest_plausible, FILE)),
            )

        return GroupReader(
            shaped,
            charges_of("aggregated", "file"),
            amounts=("billed_cost", "credit"),
            by_export=True,
            written=lambda _path: context.now,
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
        judged = judged_rows(
            *described(connection, data, kept_tags(self.kept_tags)), context.latest_plausible
        )
        with aggregated_in(connection, aggregate(judged), spool):
            write_parquet(connection, charges_of("aggregated"), spool)
            rows, refused = connection.execute(
                "SELECT coalesce(sum(export_rows) FILTER (reason IS NULL), 0), "
                "coalesce(sum(export_rows) FILTER (reason IS NOT NULL), 0) FROM aggregated"
            ).fetchall()[0]
            fingerprint = fingerprint_of(
                connection, "aggregated", ("billed_cost", "credit"), by_export=True, counting=INVOICE_ONLY
            )
            rejected = _with_examples(connection, path, judged) if refused else []
            unparsed = unparsed_lines(connection, path)
            return FileReading(
                spool, int(rows), tuple(rejected), fingerprint, int(rows) + int(refused), unparsed
            )


def _with_examples(connection: duckdb.DuckDBPyConnection, path: Path, judged: str) -> list[Rejected]:
    """Where the refused rows are, and an example of a refused value."""
    found = dict(connection.execute(examples(judged)).fetchall())
    return [
        replace(each, detail=f"{each.detail}; for example {found[each.reason]}")
        if found.get(each.reason)
        else each
        for each in refused_rows(connection, path, judged, REASONS)
    ]
