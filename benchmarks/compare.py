"""One table of scrapes, refreshes and memory: the exporter beside what people use instead.

    python benchmarks/compare.py [--short] [--series 100000] [--rows 1000000] [--runs 5] [--output FOLDER]

`serve` reads an export from files; the others serve the same figures. Every round asks each of them, in turn,
so that what else the machine does meets all alike. Figures are medians, and the 99th percentile of all
rounds. With --output, the tables go to a Markdown file and two pictures. --short only shows that it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from first_figures import asked, make_world, serving
from memory import Memory, watched
from peers import MissingError, Peer, pushgateway, script, sql_exporter, textfile_collector
from refresh_time import Runs, make_export, median_ratio
from refresh_time import measure as measure_refresh
from scrape_latency import percentile_99, scrape_milliseconds, sending_alone

US = "Spend Exporter"
FAMILIES_OF_A_LINE = 5
"""A line of a bill that is used now and then is in about so many samples."""


@dataclass
class Scraped:
    """What scrapes of one server took."""

    peer: Peer
    samples: int
    bytes: int
    memory: Memory
    milliseconds: list[float] = field(default_factory=list)


Table = list[list[str]]


def figures(url: str) -> bytes:
    """Return the exporter's own families of an exposition, without those of its process."""
    lines = (asked(f"{url}/metrics") or b"").splitlines(keepends=True)
    ours = (b"spend_", b"# HELP spend_", b"# TYPE spend_")
    return b"".join(line for line in lines if line.startswith(ours))


def wait_until_whole(url: str, usd: float, seconds: float, *, estimates: bool) -> None:
    """Wait until the whole bill is shown, and for the estimates no longer than that, if they are wanted."""
    until, whole = time.monotonic() + seconds, False
    while time.monotonic() < until:
        time.sleep(0.2)
        told = json.loads(asked(f"{url}/api/v1/summary") or b"{}")
        if not told:
            continue
        shown = (told["month"]["to_date_billed_usd"], told["last_month"]["billed_usd"])
        whole = abs(sum(each or 0.0 for each in shown) - usd) < 1e-6
        if whole and (told["month"]["forecast_end_usd"] or not estimates):
            return
    if not whole:
        raise TimeoutError(f"the bill was not shown within {seconds:g} s")


def compare_scrapes(
    folder: Path, series: int, rounds: int, wait_seconds: float, *, short: bool
) -> tuple[list[Scraped], list[str]]:
    """Start every server, scrape each in each round; returns what was found and what is missing."""
    lines = max(series // FAMILIES_OF_A_LINE, 20)
    world = make_world(folder / "export", lines, 4 * lines, "parquet", "days", datetime.now(UTC))
    missing: list[str] = []
    with ExitStack() as stack:
        (folder / "serve").mkdir()
        serve = serving(folder / "serve", world.files, max_series=max(10 * series, 100))
        process, url, _ = stack.enter_context(serve)
        ours = stack.enter_context(watched(process.pid))
        wait_until_whole(url, world.usd, wait_seconds, estimates=not short)
        where = urlsplit(url)
        assert where.hostname is not None
        assert where.port is not None
        peers = [(Peer(US, (where.hostname, where.port), process.pid), ours)]
        exposition = figures(url)
        (folder / "exposition").write_bytes(exposition)
        (folder / "textfile").mkdir()
        others: list[Callable[[], AbstractContextManager[Peer]]] = [
            lambda: script("exposition", folder / "exposition"),
            lambda: pushgateway(exposition),
            lambda: textfile_collector(folder / "textfile", exposition),
            lambda: sql_exporter(world.files),
        ]
        for other in others:
            try:
                peer = stack.enter_context(other())
            except MissingError as error:
                missing.append(str(error))
            else:
                peers.append((peer, stack.enter_context(watched(peer.process_id))))
        found = [
            Scraped(peer, text.count(b"\n") - text.count(b"\n#"), len(text), memory)
            for peer, memory in peers
            for text in (scraped_once(peer.address),)
        ]
        # What the machine allows: a program that sends the exporter's answer and nothing else.
        alone = stack.enter_context(sending_alone(scraped_once(peers[0][0].address, "gzip")))
        peer = Peer("sending the same bytes alone", alone, 0)
        found.insert(0, Scraped(peer, found[0].samples, found[0].bytes, Memory()))
        for _ in range(rounds):
            for each in found:
                each.milliseconds += scrape_milliseconds(each.peer.address, 6, "gzip")
    return found, missing


def scraped_once(address: tuple[str, int], encoding: str = "identity") -> bytes:
    url = f"http://{address[0]}:{address[1]}/metrics"
    request = urllib.request.Request(url, headers={"Accept-Encoding": encoding})
    with urllib.request.urlopen(request) as response:
        return bytes(response.read())


def scrape_table(found: Sequence[Scraped]) -> Table:
    base = median(next(each for each in found if each.peer.name == US).milliseconds)
    rows = [
        ["scrape, gzip", "samples", "text MB", "median ms", "p99 ms", "ratio", "resident MB", "all, PSS MB"]
    ]
    for each in found:
        middle = median(each.milliseconds)
        rows.append(
            [
                each.peer.name,
                f"{each.samples:,}",
                f"{each.bytes / 1e6:.1f}",
                f"{middle:.1f}",
                f"{percentile_99(each.milliseconds):.1f}",
                f"{middle / base:.1f}",
                str(each.memory.resident or "-"),
                str(each.memory.together or "-"),
            ]
        )
    return rows


def refresh_table(rows: int, found: dict[str, Runs]) -> Table:
    bare = found["bare DuckDB"]
    table = [
        [f"{rows:,} rows of Parquet", "median s", "slowest s", "ratio", "CPU s", "CPU ratio", "grew by MB"]
    ]
    for name, runs in found.items():
        table.append(
            [
                name,
                f"{median(runs.seconds):.2f}",
                f"{max(runs.seconds):.2f}",
                f"{median_ratio(runs.seconds, bare.seconds):.2f}",
                f"{median(runs.cpu_seconds):.2f}",
                f"{median_ratio(runs.cpu_seconds, bare.cpu_seconds):.2f}",
                str(runs.mebibytes),
            ]
        )
    return table


def markdown(table: Table) -> str:
    """Write a table as Markdown, its columns as wide as they need."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]

    def line(cells: Sequence[str]) -> str:
        first, *others = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        others = [cell.strip().rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        return f"| {' | '.join([first, *others])} |\n"

    rule = [" " + "-" * widths[0] + " ", *(" " + "-" * (width - 1) + ": " for width in widths[1:])]
    return line(table[0]) + f"|{'|'.join(rule)}|\n" + "".join(map(line, table[1:]))


def machine() -> str:
    """Return what the figures were measured on."""
    model = next(
        (line.partition(":")[2].strip() for line in cpu_lines() if line.startswith("model name")),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, Python {platform.python_version()}"


def cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def write_results(output: Path, text: str, scraped: Sequence[Scraped], refreshed: dict[str, Runs]) -> None:
    """Write the tables and two pictures into a folder."""
    from pictures import bars  # noqa: PLC0415 - takes seconds, and only this needs it

    output.mkdir(parents=True, exist_ok=True)
    (output / "benchmark.md").write_text(text, encoding="utf-8")
    bars(
        output / "scrapes.png",
        "milliseconds of a scrape, median and 99th percentile",
        {each.peer.name: (median(each.milliseconds), percentile_99(each.milliseconds)) for each in scraped},
    )
    bars(
        output / "refreshes.png",
        "seconds of a refresh, median and slowest",
        {name: (median(runs.seconds), max(runs.seconds)) for name, runs in refreshed.items()},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="small sizes, in less than a minute")
    parser.add_argument("--series", type=int)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--runs", type=int)
    parser.add_argument(
        "--wait", type=float, default=300.0, help="seconds to wait for the exporter's estimates"
    )
    parser.add_argument("--output", type=Path, help="a folder for benchmark.md and pictures")
    chosen = parser.parse_args()
    series = chosen.series or (1_000 if chosen.short else 100_000)
    rows = chosen.rows or (2_000 if chosen.short else 1_000_000)
    runs = chosen.runs or (1 if chosen.short else 5)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        scraped, missing = compare_scrapes(folder, series, runs, chosen.wait, short=chosen.short)
        scrapes = markdown(scrape_table(scraped))
        left_out = "".join(f"\nLeft out: {text}.\n" for text in missing)
        # At once: the rest takes minutes.
        print(
            f"{machine()}; {runs} rounds; load before {load_before:.1f}.\n\n{scrapes}{left_out}", flush=True
        )
        (folder / "refresh").mkdir()
        path = make_export(folder / "refresh", rows)
        refreshed = measure_refresh(path, folder / "refresh", runs, script=True, one_changed=True)
    refreshes = markdown(refresh_table(rows, refreshed))
    after = f"Load after {os.getloadavg()[0]:.1f}."
    print(f"{refreshes}\n{after}")
    text = "\n".join(
        [
            f"{machine()}; {runs} rounds; load before {load_before:.1f}.\n",
            scrapes + left_out,
            refreshes,
            after,
        ]
    )
    if chosen.output:
        write_results(chosen.output, text, scraped, refreshed)


if __name__ == "__main__":
    main()
