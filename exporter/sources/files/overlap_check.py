"""What a check reports of files that repeat rows of others: which of them count, and what is in doubt."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Final

from exporter.sources.base import Finding, RefreshContext
from exporter.sources.files.comparison import FileComparison
from exporter.sources.files.findings import FoundFile
from exporter.sources.files.fingerprint import Fingerprint, file_cursor
from exporter.sources.files.layouts import laid_out
from exporter.sources.files.overlap import Decision, Known, Relation, decide
from exporter.sources.files.overlap_texts import doubt_text, loss_text, shown_files
from exporter.sources.files.reading import READ_FAILURES

MOST_BYTES: Final = 2 * 2**30
"""A check reads no more than this to compare files; the ledger already has what it has read before."""

_SHOWN: Final = 5


def newest_within(files: Iterable[FoundFile], most_bytes: int = MOST_BYTES) -> tuple[list[FoundFile], int]:
    """Return the newest files that are together no larger than that, and how many others there are."""
    ordered = sorted(files, key=lambda file: -file.status.mtime_ns)
    chosen: list[FoundFile] = []
    for file in ordered:
        most_bytes -= file.status.size
        if most_bytes < 0:
            break
        chosen.append(file)
    return chosen, len(ordered) - len(chosen)


def known_fingerprint(context: RefreshContext, file: FoundFile) -> Fingerprint | None:
    """Return the fingerprint that the ledger has of the file as it is now; None where it has none."""
    cursor = file_cursor(context.known.get(str(file.path), ""))
    return cursor.fingerprint if cursor is not None and cursor.state.endswith(f":{file.status}") else None


def overlap_findings(
    files: Sequence[FoundFile], fingerprint: Callable[[FoundFile], Fingerprint], same: FileComparison
) -> Generator[Finding, None, set[Path]]:
    """Yield what there is to report of files with the same rows; return the files that count.

    `fingerprint` reads one file and raises one of READ_FAILURES; such a file is left out of the comparison.
    """
    by_path = {file.path: file for file in files}
    units, periods = laid_out(by_path, lambda path: by_path[path].status.mtime_ns)
    older = [path for period in periods for run in period.runs[1:] for path in run.files]
    units += [period.runs[0] for period in periods]
    members = {unit.key: unit.files for unit in units}
    known: list[Known] = []
    for unit in units:
        prints = [read for path in unit.files if (read := _read(by_path[path], fingerprint)) is not None]
        written = max(by_path[path].status.mtime_ns for path in unit.files)
        parts = tuple(prints) if len(prints) > 1 else ()
        known.append(Known(unit.key, written, Fingerprint.total(prints), parts))

    def same_units(name: str, other: str, relation: Relation) -> bool:
        return same(members[name], members[other], relation)

    decision = decide(known, same_units, same.shared_rows(members))
    if older:
        yield Finding(True, "older runs", _of_older(older))
    yield from _of_decision(decision, {key: shown_files(paths) for key, paths in members.items()})
    refused = {path for name in decision.losses for path in members[name]}
    return by_path.keys() - refused - set(older)


def _read(file: FoundFile, fingerprint: Callable[[FoundFile], Fingerprint]) -> Fingerprint | None:
    try:
        return fingerprint(file)
    except READ_FAILURES:
        return None


def _of_older(older: Sequence[Path]) -> str:
    count = "1 file" if len(older) == 1 else f"{len(older):,} files"
    return f"{count} of older runs left out: for each billing period the newest complete run counts"


def _of_decision(decision: Decision, shown: dict[str, str]) -> Generator[Finding]:
    losses = sorted(decision.losses.items())
    for name, loss in losses[:_SHOWN]:
        detail = f"{shown[name]}: {loss_text(loss, shown[loss.winner])}"
        yield Finding(True, "repeated file", detail, warning=True)
    if len(losses) > _SHOWN:
        detail = f"{len(losses) - _SHOWN:,} more were refused whole for the same reasons"
        yield Finding(True, "repeated files", detail, warning=True)
    for doubt in decision.doubts[:_SHOWN]:
        detail = f"{shown[doubt.name]}: {doubt_text(doubt, shown[doubt.other])}"
        yield Finding(True, "overlapping files", detail, warning=True)
    if len(decision.doubts) > _SHOWN:
        detail = f"{len(decision.doubts) - _SHOWN:,} more pairs like this"
        yield Finding(True, "overlapping files", detail, warning=True)
