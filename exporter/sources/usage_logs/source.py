"""Source `usage_logs`: logs of LLM calls in JSON Lines, one call a line, tailed and priced at list prices.

Each line counts once, whatever is rotated, truncated, compressed or restarted.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from exporter.core.byte_sizes import size_text
from exporter.core.errors import SourceError
from exporter.sources.base import (
    Finding,
    RefreshContext,
    Rejected,
    Source,
    Unreadable,
    UsageAddition,
    UsageChange,
)
from exporter.sources.files.absence import nothing_found
from exporter.sources.files.places import FilePlaces
from exporter.sources.files.reading import first_line
from exporter.sources.llm.token_prices import TokenPrices
from exporter.sources.objects.mirror import ObjectMirror
from exporter.sources.spool import write_usage_csv
from exporter.sources.usage_logs.check import findings
from exporter.sources.usage_logs.identity import Copies, Log, Logs, partition_number, tell_apart
from exporter.sources.usage_logs.marks import Mark
from exporter.sources.usage_logs.object_log import ObjectLog
from exporter.sources.usage_logs.tailing import LONGEST_LINE, READ_FAILURES, LogFile, LogLines
from exporter.sources.usage_logs.usage import LogUsage

LISTED_EVERY: Final = timedelta(minutes=5)
"""Stores bill each listing, and most tools write an object only every few minutes."""


@dataclass(slots=True)
class UsageLogsSource(Source):
    """Logs of LLM calls. `patterns` are absolute globs; `**` reaches into subfolders; `.gz` is unpacked."""

    patterns: Sequence[str]
    objects: ObjectMirror | None = field(default=None, kw_only=True, repr=False)
    """What reads the buckets among the patterns."""
    update_interval: timedelta = timedelta(seconds=15)
    """How often it is refreshed."""
    prices: TokenPrices = field(default_factory=TokenPrices)
    batch_bytes: int = 8 << 20
    """Of log that is stored at once."""
    chunk_bytes: int = 1 << 18
    longest_line_bytes: int = LONGEST_LINE
    """What is longer is set aside."""
    gone_remembered: int = 5000
    """Logs that are gone: so many may come back, from a folder that was not mounted, and be known."""

    name: str = field(default="usage_logs", init=False)
    provider: str = field(default="", init=False)
    """Empty: each line names its provider."""
    _listed: datetime | None = field(default=None, init=False, repr=False)
    """When buckets were listed last."""
    _copies: Copies = field(default_factory=dict, init=False, repr=False)
    """Copies that the last refresh found, so that compressed ones need not be unpacked each time."""

    def refresh(self, context: RefreshContext) -> Iterator[UsageChange]:
        """Yield the usage of further lines, in portions, and the files that could not be read.

        What was counted from a file that is gone stays. Raises SourceError where no file matches or none can
        be read.
        """
        places = self._places(context)
        files, failures = _looked_at(places)
        if not files and not failures:
            why = nothing_found(self.patterns, "llm.usage_logs", "what was counted stays")
            raise SourceError("no_files", why)
        known = {
            partition: Mark.from_cursor(cursor)
            for partition, cursor in places.with_paths(context).known.items()
        }
        found = tell_apart(files, known, self._copies)
        self._copies = found.copies
        for path, error in [*failures, *((file.path, error) for file, error in found.failures)]:
            yield places.usage_with_addresses(_unreadable(path, error))
        for change in self._read(found, context):
            yield places.usage_with_addresses(change)
        failed = len(failures) + len(found.failures)
        if failed and not found.logs:
            raise SourceError("unreadable_file", f"none of the {failed} files could be read")

    def check(self, context: RefreshContext) -> Iterator[Finding]:
        """Report what the patterns match, what cannot be read, and what a sample of the lines contains."""
        places = self._places(context)
        files, failures = _looked_at(places)
        trouble = [f"{path}: {first_line(error)}" for path, error in failures]
        if self.objects is not None:
            yield Finding(True, "cost of reading", self.objects.cost_text(LISTED_EVERY, context.now))
        yield from places.findings(findings(places, files, trouble, self.prices, context.latest_plausible))

    def _places(self, context: RefreshContext) -> FilePlaces:
        """Return where the files are; buckets are listed anew only now and then."""
        if self.objects is not None and (
            self._listed is None or not timedelta(0) <= context.now - self._listed < LISTED_EVERY
        ):
            self.objects.begin()
            self._listed = context.now
        return FilePlaces.of(self.patterns, self.objects, context)

    def _read(self, found: Logs, context: RefreshContext) -> Iterator[UsageChange]:
        obsolete = tuple(found.gone[: -self.gone_remembered])
        changed = [log for log in found.logs if log.mark is None or not log.file.unchanged_since(log.mark)]
        for number, log in enumerate(changed, 1):
            if context.stopping():
                return
            for change in self._read_log(log, obsolete, context):
                if isinstance(change, UsageAddition):
                    obsolete = ()
                yield change
            context.tally.progress(f"{number} of {len(changed)} changed usage logs read")

    def _read_log(
        self, log: Log, obsolete: tuple[str, ...], context: RefreshContext
    ) -> Iterator[UsageChange]:
        """Yield what one file has, in portions of `batch_bytes`, and why it could not be read to its end."""
        context.tally.requests += 1
        try:
            with log.file.lines_after(
                log.mark, chunk_bytes=self.chunk_bytes, longest_line=self.longest_line_bytes
            ) as lines:
                yield from self._portions(log, lines, obsolete, context)
        except FileNotFoundError:
            # Rotated just now: it is found under its new name next time.
            return
        except READ_FAILURES as error:
            yield _unreadable(log.file.path, error)

    def _portions(
        self, log: Log, lines: LogLines, obsolete: tuple[str, ...], context: RefreshContext
    ) -> Iterator[UsageChange]:
        before, more = log.mark, True
        each_line = iter(lines)
        while more:
            usage = LogUsage(log.file.path, self.prices, context.latest_plausible, context.oldest_kept)
            failure: Exception | None = None
            begin = lines.offset
            more = False
            try:
                for line in each_line:
                    usage.take(line)
                    if lines.offset - begin >= self.batch_bytes:
                        more = True
                        break
            except READ_FAILURES as error:
                failure = error
            # A compressed file that is damaged or not complete yet has no more until it changes.
            at_end = not more and (failure is None or isinstance(failure, _Damaged))
            mark = lines.mark(at_end=at_end)
            if mark != before and mark.offset:
                yield self._addition(log, mark, usage, obsolete, context)
                before, obsolete = mark, ()
            if failure is not None:
                yield _unreadable(log.file.path, failure)
            if more:
                context.tally.progress(f"{log.file.path}: {size_text(lines.offset)} read")
                more = not context.stopping()

    def _addition(
        self, log: Log, mark: Mark, usage: LogUsage, obsolete: tuple[str, ...], context: RefreshContext
    ) -> UsageAddition:
        spool = context.spool / f"usage_logs-{partition_number(log.partition)}.csv"
        write_usage_csv(spool, usage.points())
        return UsageAddition(
            log.partition, mark.cursor(), spool, usage.calls, tuple(usage.rejected()), obsolete
        )


_Damaged = EOFError | zlib.error | gzip.BadGzipFile


def _looked_at(places: FilePlaces) -> tuple[list[LogFile], list[tuple[Path, Exception]]]:
    """Return existing files, each once however many patterns or links lead to it, and what cannot be seen."""
    files: dict[tuple[int, int], LogFile] = {}
    failures: list[tuple[Path, Exception]] = []
    for pattern in places.patterns:
        for path in places.matching(pattern):
            try:
                file = ObjectLog.of(path, places) if places.in_bucket(path) else LogFile.at(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                failures.append((path, error))
            else:
                files.setdefault(file.identity, file)
    return list(files.values()), failures


def _unreadable(path: Path, error: Exception) -> Unreadable:
    detail = (
        f"{first_line(error)}; what was counted from it stays, and it is tried again at each refresh: check "
        "that the file is whole and may be read by this user"
    )
    return Unreadable(str(path), Rejected("unreadable_file", 1, str(path), detail))
