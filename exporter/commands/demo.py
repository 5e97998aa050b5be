"""`spend-exporter demo`: a simulated company's growing billing export, and the exporter over it.

Nothing else is needed: no account, no network. The exporter does not know that the bill is invented.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.commands.serve import serve
from exporter.config import parse
from exporter.simulator.billing_export import write_export
from exporter.simulator.world import World

logger = logging.getLogger(__name__)

EXPORT_EVERY_SECONDS = 60.0
"""How often what the company's bill has gained is written; rows come at their own times within the hour."""

READ_EVERY_MINUTES = 0.25


def demo(
    listen: tuple[str, int],
    stopping: threading.Event,
    *,
    directory: Path | None,
    seed: int,
    announce: Callable[[str], None],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Write the past, then serve it and go on writing until `stopping` is set.

    With `directory` the company, its bill and the ledger are kept there and continued. Raises as `serve`.
    """
    with _folder(directory) as folder:
        export = folder / "export"
        export.mkdir(exist_ok=True)
        world = _world(folder / "world.json", seed, clock())
        written_until = _write_past(world, export, clock(), stopping)
        config = parse(
            json.dumps(
                {
                    "ledger": str(folder / "ledger.duckdb"),
                    "gcp": {
                        "update_interval_minutes": READ_EVERY_MINUTES,
                        "billing_export": {"files": [str(export / "*.parquet")]},
                    },
                }
            ),
            folder,
        )
        writer = threading.Thread(
            target=_keep_writing, args=(world, export, written_until, clock, stopping), name="demo-export"
        )
        writer.start()
        try:
            serve(config, listen, stopping, announce)
        finally:
            stopping.set()
            writer.join()


@contextmanager
def _folder(directory: Path | None) -> Iterator[Path]:
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="spend-exporter-demo-") as made:
            yield Path(made)
    else:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory.absolute()


def _world(memory: Path, seed: int, now: datetime) -> World:
    """Return the company that the folder remembers, or a new one that has 45 days behind it."""
    if memory.exists():
        remembered = json.loads(memory.read_text(encoding="utf-8"))
        return World.ending_at(datetime.fromisoformat(remembered["began"]), seed=remembered["seed"])
    memory.write_text(json.dumps({"seed": seed, "began": now.isoformat()}), encoding="utf-8")
    return World.ending_at(now, seed=seed)


def _write_past(world: World, export: Path, now: datetime, stopping: threading.Event) -> datetime:
    """Write what was exported before `now`, day by day with a progress bar, and return `now`."""
    day = world.start.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (now - day) // timedelta(days=1) + 1
    for number in range(days):
        if stopping.is_set():
            break
        begin = max(world.start, day + timedelta(days=number))
        write_export(world, export, min(now, day + timedelta(days=number + 1)), since=begin)
        _show_progress(number + 1, days)
    return now


def _show_progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        bar = "#" * (30 * done // of)
        end = "\n" if done == of else ""
        print(f"\rsimulating {of} days of a company's bill [{bar:<30}]", end=end, file=sys.stderr, flush=True)  # noqa: T201
    elif done == of:
        logger.info("simulated %d days of a company's bill", of)


def _keep_writing(
    world: World, export: Path, until: datetime, clock: Callable[[], datetime], stopping: threading.Event
) -> None:
    while not stopping.wait(EXPORT_EVERY_SECONDS):
        now = clock()
        if now <= until:
            continue
        try:
            write_export(world, export, now, since=until)
            until = now
        except OSError:
            logger.exception("the simulated bill could not be written; it is tried again in a minute")
