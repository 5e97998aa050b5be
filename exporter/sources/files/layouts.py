"""How exports lay out their files: which belong together, and which are an older run of the same export.

Clouds that do not overwrite write the whole month again at each run, into a folder of its own below a folder
for the billing period. Known are AWS Data Exports and Azure Cost Management; other folders have no runs.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_PERIOD: Final = re.compile(
    r"(BILLING_PERIOD|billing_period|billing-period)=\d{4}-\d{2}(-\d{2})?|\d{8}-\d{8}|\d{4}-\d{2}|\d{6}"
)
_GUID: Final = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_TIME: Final = r"\d{4}-?\d{2}-?\d{2}[T_ ]?\d{2}[:-]?\d{2}([:-]?\d{2}([.]\d+)?)?Z?"
_RUN: Final = re.compile(rf"{_GUID}|(?P<time>{_TIME})(-{_GUID})?")
_CHUNK: Final = re.compile(r"part_\d+_\d+|(?<![0-9])0\d{3,}(?![0-9])")
"""The part of a name that numbers the pieces of one export: `-00001`, `_000000000012`, `part_0_0001`."""

_MANIFEST: Final = re.compile(r"(.*[-_])?manifest\.json", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unit:
    """Files that are one export of some rows: one file, the pieces of one, or a whole run."""

    key: str
    """Its folder, or the name of its files without the number of the piece."""
    files: tuple[Path, ...]
    """By name."""


@dataclass(frozen=True, slots=True)
class Period:
    """All runs of one export for one billing period, of which one counts."""

    runs: tuple[Unit, ...]
    """The newest first; those that miss files of their manifest last."""


def laid_out(files: Iterable[Path], modified_ns: Callable[[Path], int]) -> tuple[list[Unit], list[Period]]:
    """Return the files that are in no run, as units by name; and the periods that have runs.

    `modified_ns` says when a file was changed. Reads the manifests that lie next to the files; one that
    cannot be read is as if missing.
    """
    plain: defaultdict[str, list[Path]] = defaultdict(list)
    runs: defaultdict[Path, defaultdict[Path, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        found = _run_of(file)
        if found is None:
            plain[str(file.with_name(_CHUNK.sub("*", file.name)))].append(file)
        else:
            runs[found[0]][found[1]].append(file)
    units = [Unit(key, tuple(sorted(pieces))) for key, pieces in sorted(plain.items())]
    return units, [_period(of_period, modified_ns) for _, of_period in sorted(runs.items())]


def is_manifest(file: Path) -> bool:
    """Return whether the file lists the files of an export and has no rows."""
    return _MANIFEST.fullmatch(file.name) is not None


def _run_of(file: Path) -> tuple[Path, Path] | None:
    """Return the folder of the billing period and that of the run; None for a file that is in no run."""
    folder = file.parent
    while _RUN.fullmatch(folder.name) and not _PERIOD.fullmatch(folder.name):
        folder = folder.parent
    if folder == file.parent or not _PERIOD.fullmatch(folder.name):
        return None
    return folder, file.parent


def _period(runs: Mapping[Path, Sequence[Path]], modified_ns: Callable[[Path], int]) -> Period:
    manifests = {folder: _manifest(folder) for folder in runs}

    def order(folder: Path) -> tuple[bool, str, int, str]:
        newest = max(modified_ns(file) for file in runs[folder])
        return (
            _complete(manifests[folder], runs[folder]),
            _started(folder, manifests[folder]),
            newest,
            str(folder),
        )

    ordered = sorted(runs, key=order, reverse=True)
    return Period(tuple(Unit(str(folder), tuple(sorted(runs[folder]))) for folder in ordered))


def _started(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Return when the run began, as digits that sort; empty where neither a name nor the manifest says so."""
    while found := _RUN.fullmatch(folder.name):
        if found["time"]:
            return _digits(found["time"])
        folder = folder.parent
    run = manifest.get("runInfo")
    return _digits(str(run.get("submittedTime", ""))) if isinstance(run, dict) else ""


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)[:14].ljust(14, "0") if text else ""


def _manifest(folder: Path) -> Mapping[str, Any]:
    """Return the manifest of a run: in its folder (Azure), or in the same place below `metadata` (AWS)."""
    parts = folder.parts
    places = [folder]
    if "data" in parts:
        at = len(parts) - 1 - parts[::-1].index("data")
        places.append(Path(*parts[:at], "metadata", *parts[at + 1 :]))
    for place in places:
        for file in sorted(place.glob("*.json")) if place.is_dir() else ():
            if is_manifest(file):
                try:
                    read = json.loads(file.read_text(encoding="utf-8-sig"))
                except (OSError, ValueError):
                    continue
                if isinstance(read, dict):
                    return read
    return {}


def _complete(manifest: Mapping[str, Any], files: Sequence[Path]) -> bool:
    """Return whether all files that the manifest lists have arrived; True where it lists none."""
    named = [blob.get("blobName") for blob in _list(manifest, "blobs") if isinstance(blob, dict)]
    named += [name for name in _list(manifest, "dataFiles") if isinstance(name, str)]
    present = {file.name for file in files}
    return all(str(name).rpartition("/")[2] in present for name in named)


def _list(manifest: Mapping[str, Any], key: str) -> list[Any]:
    found = manifest.get(key)
    return found if isinstance(found, list) else []
