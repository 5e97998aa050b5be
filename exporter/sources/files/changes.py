"""What changed in the files of one source since it was last read, with no charge in the ledger twice.

Files are compared by their fingerprints as soon as each one is read, so that the first figures need not wait
for the last file; when all are read, what counts follows from the files that are there alone.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from exporter.core.errors import SourceError
from exporter.sources.base import Batch, Change, Doubtful, RefreshContext, Rejected, Retraction, Unreadable
from exporter.sources.files.absence import Absences
from exporter.sources.files.comparison import FileComparison
from exporter.sources.files.file_reading import FileReading, ReadFile, spool_path
from exporter.sources.files.fingerprint import FileCursor, Fingerprint, file_cursor, new_cursor
from exporter.sources.files.layouts import Period, Unit, laid_out
from exporter.sources.files.neighbours import Neighbours
from exporter.sources.files.overlap import Decision, Known, Loss, Relation, decide
from exporter.sources.files.overlap_texts import OVERLAPPING, doubt_text, loss_reason, loss_text, shown_files
from exporter.sources.files.places import FilePlaces
from exporter.sources.files.reading import READ_FAILURES, first_line
from exporter.sources.files.reading_ahead import ReadingAhead
from exporter.sources.spool import refuse_full_disk, write_spool_csv

_DOUBTS_SHOWN: Final = 5

_MOST_BY_ROW: Final = 50
"""Where there are more units, their rows are compared when all have been read, and not before."""

_Read = tuple[Unit, list[tuple[Path, FileReading]]]
"""A unit, and what was read of it just now."""

_NONE: Final = new_cursor("", Fingerprint({}), counted=True)


@dataclass(slots=True)
class FileChanges:
    """One refresh over the files of a source."""

    context: RefreshContext
    read: ReadFile
    ahead: ReadingAhead
    same: FileComparison
    version: str
    """How files are read; a part of every file's state."""
    places: FilePlaces
    absent: Absences = field(default_factory=Absences)
    """What became of files that are not found any more."""
    _cursors: dict[str, FileCursor] = field(default_factory=dict, init=False)
    """What the ledger has of each file, as far as it can be compared."""
    _states: dict[str, str] = field(default_factory=dict, init=False)
    _written: dict[str, int] = field(default_factory=dict, init=False)
    _near: Neighbours = field(default_factory=Neighbours, init=False)
    _gone: set[str] = field(default_factory=set, init=False)
    """Partitions of the ledger that have no file any more, or one of an older run."""
    _failed: set[str] = field(default_factory=set, init=False)
    _stored: set[str] = field(default_factory=set, init=False)
    """Partitions that the ledger has."""

    def changes(self, found: Sequence[Path]) -> Iterator[Change]:
        """Yield every change; `found` are all existing files. Raises nothing: see `all_failed`."""
        plain, periods = laid_out(found, self.places.modified_ns)
        # The largest first: of exports of the month to date it is the one that will count.
        plain.sort(key=lambda unit: sum(map(self.places.size, unit.files)), reverse=True)
        self._stored = set(self.context.known)
        for name, text in self.context.known.items():
            if (cursor := file_cursor(text)) is not None:
                self._remember(name, cursor)
        self._gone = self.context.known.keys() - {str(path) for path in found} - self.absent.unseen
        for name in sorted(self._gone - self._cursors.keys()):
            yield self._retracted(name)
        for unit in plain:
            self._near.add_unit(unit)
        done, read = 0, list[_Read]()
        jobs: list[Unit | Period] = [*plain, *periods]
        self.ahead.expect(filter(self._changed, _files_in_order(jobs)))
        for each in jobs:
            requests = self.context.tally.requests
            try:
                read += yield from self._unit(each) if isinstance(each, Unit) else self._period(each)
            except SourceError:
                yield from self._placed(read)
                raise
            if read and not self.ahead.has_more:
                # What is ready is compared at once, not file by file.
                yield from self._placed(read)
                read = []
            done += len(each.files) if isinstance(each, Unit) else sum(len(run.files) for run in each.runs)
            if self.context.tally.requests > requests:
                self.context.tally.progress(f"{done} of {len(found)} files read")
            if self.context.stopping():
                yield from self._placed(read)
                return
        yield from self._placed(read)
        yield from self._settled()

    def all_failed(self, found: Sequence[Path]) -> bool:
        """Return whether no file could be read."""
        return len(self._failed) >= len(found)

    def _period(self, period: Period) -> Generator[Change, None, list[_Read]]:
        """Return the newest run that can be read whole; the others' charges go when its own are stored."""
        for run in period.runs:
            readings, failures = self._readings(run)
            yield from failures
            if not failures or all(str(path) in self._cursors for path in run.files):
                break
            for _, reading in readings:
                reading.charges.unlink(missing_ok=True)
        else:
            return []
        self._near.add_unit(run)
        older = {str(path) for other in period.runs if other is not run for path in other.files}
        self._gone |= older & self.context.known.keys()
        return [(run, readings)] if readings else []

    def _unit(self, unit: Unit) -> Generator[Change, None, list[_Read]]:
        pending: list[tuple[Path, FileReading]] = []
        for path in unit.files:
            if self.context.stopping():
                break
            readings, failures = self._readings(replace(unit, files=(path,)))
            yield from failures
            pending += readings
            if len(unit.files) > 1 and not self._near.of(unit):
                # Pieces of an export that nothing else resembles need not wait for each other.
                yield from self._counted(pending)
                pending = []
        return [(unit, pending)] if pending else []

    def _readings(self, unit: Unit) -> tuple[list[tuple[Path, FileReading]], list[Unreadable]]:
        """Read the files of a unit that changed."""
        readings, failures = [], []
        for path in unit.files:
            try:
                state = self._state(path)
                cursor = self._cursors.get(str(path))
                if cursor is not None and cursor.state == state:
                    self.places.check_readable(path)
                    continue
                self.context.tally.requests += 1
                reading = self.ahead.reading(path)
                # An object may have been replaced since it was listed.
                state = self._state(path)
                if reading is None:
                    with self.places.readable([path]):
                        state = self._state(path)
                        reading = self.read(path, state, self.context)
            except READ_FAILURES as error:
                refuse_full_disk(error, self.context.spool)
                failures.append(self._unreadable(path, error))
                continue
            counted = cursor.counted if cursor is not None else True
            self._remember(str(path), new_cursor(state, reading.fingerprint, counted=counted))
            readings.append((path, reading))
        return readings, failures

    def _changed(self, path: Path) -> bool:
        """Whether a file is not as the ledger has it."""
        cursor = self._cursors.get(str(path))
        try:
            return cursor is None or cursor.state != self._state(path)
        except OSError:
            return False

    def _state(self, path: Path) -> str:
        status = self.places.status(path)
        self._written[str(path)] = status.mtime_ns
        self._states[str(path)] = f"{self.version}:{status}"
        return self._states[str(path)]

    def _placed(self, read: Sequence[_Read]) -> Iterator[Change]:
        """Yield what was read of some units: as charges, or as refused where other files have their rows."""
        units = {unit.key: unit for unit, _ in read}
        near = {each.key: each for unit in units.values() for each in self._near.of(unit)}
        others = [each for key, each in near.items() if key not in units]
        decision = self._decision([*units.values(), *filter(self._counts, others)], _MOST_BY_ROW)
        counting = [(unit, readings) for unit, readings in read if unit.key not in decision.losses]
        for unit, readings in read:
            if (loss := decision.losses.get(unit.key)) is not None:
                for _, reading in readings:
                    reading.charges.unlink(missing_ok=True)
                yield from self._refused([path for path, _ in readings], loss)
        for each in others:
            if (loss := decision.losses.get(each.key)) is not None:
                yield from self._refused(each.files, loss)
        for unit, _ in counting:
            yield from self._retractions_near(unit)
        yield from self._counted([each for _, readings in counting for each in readings])

    def _settled(self) -> Iterator[Change]:
        """Bring the ledger to what follows from all files that are there."""
        decision = self._final_decision()
        for name, loss in sorted(decision.losses.items()):
            if self._counts(self._near.units[name]):
                yield from self._refused(self._near.units[name].files, loss)
        for name, unit in sorted(self._near.units.items()):
            back = [path for path in unit.files if not self._cursors.get(str(path), _NONE).counted]
            if name not in decision.losses and back:
                for path in back:
                    del self._cursors[str(path)]
                readings, failures = self._readings(replace(unit, files=tuple(back)))
                yield from failures
                yield from self._retractions_near(unit)
                yield from self._counted(readings)
        for partition in sorted(self._gone):
            yield self._retracted(partition)
        yield from self._doubts(decision)

    def _doubts(self, decision: Decision) -> Iterator[Doubtful]:
        more = len(decision.doubts) - _DOUBTS_SHOWN
        for number, doubt in enumerate(decision.doubts[:_DOUBTS_SHOWN], 1):
            detail = doubt_text(doubt, self._shown(doubt.other))
            if more > 0 and number == _DOUBTS_SHOWN:
                detail += f" ({more:,} more pairs like this)"
            place = str(self._near.units[doubt.name].files[0])
            yield Doubtful(place, Rejected(OVERLAPPING, 1, self._shown(doubt.name), detail))

    def _final_decision(self) -> Decision:
        """Decide for each group of units that have days in common, a month of an account for instance."""
        decided = [self._decision(group) for group in self._near.groups()]
        losses = {name: loss for each in decided for name, loss in each.losses.items()}
        return Decision(losses, tuple(doubt for each in decided for doubt in each.doubts))

    def _decision(self, units: Sequence[Unit], most_by_row: int = sys.maxsize) -> Decision:
        """Decide what counts; of more units than that without comparing rows."""
        known = []
        for unit in units:
            parts = [self._cursors[str(path)] for path in unit.files if str(path) in self._cursors]
            prints = [part.fingerprint for part in parts]
            known.append(
                Known(
                    unit.key,
                    max((self._written.get(str(path), 0) for path in unit.files), default=0),
                    Fingerprint.total(prints),
                    tuple(prints) if len(prints) > 1 else (),
                )
            )
        if len(known) > most_by_row:
            return decide(known, self._same)
        return decide(known, self._same, self.same.shared_rows({each.key: each.files for each in units}))

    def _same(self, name: str, other: str, relation: Relation) -> bool:
        return self.same(self._near.units[name].files, self._near.units[other].files, relation)

    def _remember(self, name: str, cursor: FileCursor) -> None:
        self._cursors[name] = cursor
        self._near.add_file(name, cursor.days)

    def _counts(self, unit: Unit) -> bool:
        return any(self._cursors.get(str(path), _NONE).counted for path in unit.files)

    def _counted(self, readings: Sequence[tuple[Path, FileReading]]) -> Iterator[Batch]:
        for number, (path, reading) in enumerate(readings, 1):
            cursor = new_cursor(self._states[str(path)], reading.fingerprint, counted=True)
            self._cursors[str(path)] = cursor
            self._stored.add(str(path))
            yield Batch(
                str(path),
                str(cursor),
                reading.charges,
                reading.rows,
                reading.rejected,
                same_data=self._same_data(str(path)),
                more_follow=self.ahead.has_more or number < len(readings),
            )

    def _same_data(self, name: str) -> bool:
        """Whether a file is the one that the ledger has charges of, and is only read otherwise."""
        stored = file_cursor(self.context.known.get(name, ""))
        if stored is None or not stored.counted:
            return False
        return stored.state.rsplit(":", 3)[1:] == self._states[name].rsplit(":", 3)[1:]

    def _refused(self, paths: Iterable[Path], loss: Loss) -> Iterator[Batch | Retraction]:
        """Yield what empties the files' partitions, and says why.

        What counted until now is retracted first, so that it goes when what takes its place comes.
        """
        reason, detail = loss_reason(loss), loss_text(loss, self._shown(loss.winner))
        for path in paths:
            cursor = self._cursors.get(str(path))
            if cursor is None:
                continue
            if cursor.counted and str(path) in self._stored:
                yield Retraction(str(path))
            cursor = cursor._replace(counted=False)
            self._cursors[str(path)] = cursor
            self._stored.add(str(path))
            rejected = Rejected(reason, 1, str(path), detail)
            spool = spool_path(self.context, path, cursor.state).with_suffix(".csv")
            yield Batch(str(path), str(cursor), write_spool_csv(spool, []), 0, (rejected,))

    def _retractions_near(self, unit: Unit) -> Iterator[Retraction]:
        for partition in sorted(self._near.among(self._gone, unit)):
            yield self._retracted(partition)

    def _retracted(self, partition: str) -> Retraction:
        self._gone.discard(partition)
        return Retraction(
            partition,
            doubt=self.absent.doubts.get(partition, ""),
            explained=partition in self.absent.unwanted,
        )

    def _unreadable(self, path: Path, error: Exception) -> Unreadable:
        self._failed.add(str(path))
        detail = f"{first_line(error)}; the file's last good charges stay, it is tried again at each refresh"
        return Unreadable(str(path), Rejected("unreadable_file", 1, str(path), detail))

    def _shown(self, key: str) -> str:
        return shown_files(self._near.units[key].files)


def _files_in_order(jobs: Iterable[Unit | Period]) -> Iterator[Path]:
    """Yield the files that will probably be read; of a period with runs only those of the first."""
    for each in jobs:
        yield from (each if isinstance(each, Unit) else each.runs[0]).files
