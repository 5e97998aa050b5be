"""Makes blocks of a backfill's files in Prometheus' storage, only where no sample is lost or doubled."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from exporter.cli.commands.backfill_files import MonthFile
from exporter.cli.progress import Show
from exporter.ledger.charges.windows import Window
from exporter.metrics.families import Family

BLOCK_HOURS: Final = 744
"""promtool reads the whole file for every block; with this length a month has 2 or 3 blocks, not 360."""

HEAD: Final = timedelta(hours=3)
"""Prometheus still holds this much in memory; a block from outside must not overlap it."""

_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


class UnsafeError(Exception):
    """The blocks must not be made with these arguments; the text gives the reason and what to do."""


class PromtoolError(Exception):
    """promtool is missing or failed; the text contains its message."""


def check_safe(
    files: Sequence[MonthFile],
    windows: Mapping[str, Window],
    data: Path,
    retention: timedelta,
    now: datetime,
    *,
    job: str,
) -> None:
    """Check that blocks of the files can go into a data directory.

    `windows` has the time of each provider's usage that is in them, `job` is the label of their samples.
    Raises UnsafeError, PromtoolError.
    """
    _check_storage(data)
    first = min(file.first_second for file in files)
    last = max(file.last_second for file in files)
    if last > (now - HEAD).timestamp():
        raise UnsafeError(
            f"the last usage hour ends {_utc(last)}, and Prometheus still holds the last "
            f"{HEAD // timedelta(hours=1)} hours in memory: choose an earlier day for --to"
        )
    kept_from = (now - retention).timestamp()
    if first < kept_from:
        dropped = [file.path.name for file in files if file.last_second < kept_from]
        whole = f" (all of {', '.join(dropped)})" if dropped else ""
        raise UnsafeError(
            f"with a retention of {_days(retention)} Prometheus would drop what is older than "
            f"{_utc(kept_from)}{whole}: start Prometheus with a longer --storage.tsdb.retention.time and "
            f"give the same to --retention, or choose a day after {_utc(kept_from):.10} for --from"
        )
    families = list(dict.fromkeys(file.family for file in files))
    for provider, (begin, end) in windows.items():
        selectors = {family: _selector(family, provider, job) for family in families}
        # Noon of a billing day's date is within the day, of every provider's zone.
        _check_new(data, selectors, int(begin.timestamp()), int(end.timestamp()) - 1)


def create_blocks(files: Sequence[MonthFile], data: Path, show: Show) -> list[Path]:
    """Have promtool make blocks of the files, and move them into the data directory when all are made.

    Raises PromtoolError, OSError. The data directory then has none of the blocks, unless a move failed.
    """
    # Within the data directory, so that a block arrives in one step; Prometheus ignores other names.
    with tempfile.TemporaryDirectory(prefix=".spend-exporter-", dir=data) as folder:
        made = Path(folder)
        for number, file in enumerate(files):
            show(number, file.path.stem)
            options = ["--quiet", f"--max-block-duration={BLOCK_HOURS}h"]
            _promtool("tsdb", "create-blocks-from", "openmetrics", *options, str(file.path), folder)
        blocks = sorted(path for path in made.iterdir() if _ULID.fullmatch(path.name))
        for block in blocks:
            shutil.copymode(data, block)
            block.rename(data / block.name)
        show(len(files), "")
        return [data / block.name for block in blocks]


def _check_storage(data: Path) -> None:
    if not data.is_dir():
        raise UnsafeError(f"{data} is not a folder: name Prometheus' data directory (--storage.tsdb.path)")
    names = {path.name for path in data.iterdir()} - {"lost+found"}
    if names and not names & {"wal", "chunks_head"} and not any(map(_ULID.fullmatch, names)):
        raise UnsafeError(
            f"{data} does not look like Prometheus' storage, which has a folder `wal`: name the directory of "
            "--storage.tsdb.path"
        )


def _selector(family: Family, provider: str, job: str) -> str:
    own = f",job={json.dumps(job)}" if job else ""
    return f"{family.name}{{provider={json.dumps(provider)}{own}}}"


def _check_new(data: Path, selectors: Mapping[Family, str], first: int, last: int) -> None:
    """Check that no block has a provider's cost, of any family, from the first to the last second yet."""
    for meta in sorted(data.glob("*/meta.json")):
        if not _ULID.fullmatch(meta.parent.name):
            continue
        times = json.loads(meta.read_text(encoding="utf-8"))
        begin, end = max(first * 1000, times["minTime"]), min(last * 1000, times["maxTime"] - 1)
        for family, selector in selectors.items():
            if begin > end or not _knows_metric(meta.parent / "index", family):
                continue
            if not _has_samples(data, family, selector, begin, end):
                continue
            matches = [("match[]", each) for each in selectors.values()]
            which = urlencode([*matches, ("start", str(first)), ("end", str(last))])
            raise UnsafeError(
                f"{data} already has {selector} of that time, in block {meta.parent.name}. Prometheus would "
                "keep one of the two values for a time, either of them, so delete the old ones first: with "
                "--web.enable-admin-api, "
                f"POST /api/v1/admin/tsdb/delete_series?{which} and then /api/v1/admin/tsdb/clean_tombstones"
            )


def _knows_metric(index: Path, family: Family) -> bool:
    """Return whether a block's symbol table has the metric's name; deleted samples may have left it there."""
    name = family.name.encode()
    with index.open("rb") as file:
        # Five bytes of magic number and version, then the table's size; each symbol follows its length.
        size = int.from_bytes(file.read(9)[5:], "big")
        return bytes([len(name)]) + name in file.read(size)


def _has_samples(
    data: Path, family: Family, selector: str, begin_milliseconds: int, end_milliseconds: int
) -> bool:
    window = [f"--min-time={begin_milliseconds}", f"--max-time={end_milliseconds}"]
    return family.name in _promtool("tsdb", "dump", *window, f"--match={selector}", str(data))


def _promtool(*arguments: str) -> str:
    """Run promtool and return what it printed."""
    try:
        done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        raise PromtoolError(
            "promtool is not installed here; it comes with Prometheus. Install it, or leave out "
            "--create-blocks "
            "and run this on the files of --out, where Prometheus is: promtool tsdb create-blocks-from "
            f"openmetrics --max-block-duration={BLOCK_HOURS}h FILE DATA_DIR"
        ) from None
    if done.returncode:
        output = (done.stderr or done.stdout).strip()
        raise PromtoolError(f"promtool {' '.join(arguments[:3])} failed ({done.returncode}): {output}")
    return done.stdout


def _utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _days(retention: timedelta) -> str:
    return f"{retention / timedelta(days=1):g} days"
