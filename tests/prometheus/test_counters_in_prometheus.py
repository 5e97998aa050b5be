"""A real Prometheus over an exporter with history: `increase` is what happened since, for every counter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.metrics.families import all_families
from exporter.web.server import Server
from tests.prometheus.scraping import PROMETHEUS_2, PROMETHEUS_3, Scraper, scraping
from tests.support.counter_world import COUNTED_BY_LEDGER, CounterWorld, running_world
from tests.support.exposed import Samples, samples, until
from tests.support.ports import free_port
from tests.support.served import request

pytestmark = [pytest.mark.integration, pytest.mark.slow]

COUNTERS = tuple(family.name for family in all_families() if family.type == "counter")
ZERO = timedelta(seconds=5)
ENOUGH_SCRAPES = 10
"""`increase` extends few samples by half an interval at either end."""


def exposed(server: Server) -> Samples:
    return samples(request(server, "/metrics").body)


def serving(world: CounterWorld) -> Server:
    return Server(("127.0.0.1", 0), lambda: world.refresher.snapshot)


def target(server: Server) -> str:
    return "{}:{}".format(*server.address)


def created(server: Server) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """When each counter was created, by name and labels."""
    answer = request(server, "/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
        if sample.name.endswith("_created")
    }


def total(found: Samples, name: str) -> float:
    return sum(found[name].values())


def seen(scraper: Scraper, server: Server, expected: Callable[[Samples], bool], what: str) -> Samples:
    """Wait until what is expected is exposed, and is what Prometheus has; return it."""

    def reached() -> bool:
        found.clear()
        found.update(exposed(server))
        return expected(found) and all(
            scraper.total(name) == pytest.approx(total(found, name))
            for name in COUNTERS
            if name != "spend_exporter_scrapes_total"
        )

    found: Samples = defaultdict(dict)
    until(reached, what, pause_seconds=0.5)
    return found


def live_through_the_hour(world: CounterWorld, scraper: Scraper, server: Server) -> None:
    """Start, let everything be read and the hour happen, with scrapes in between."""
    world.keep_reading()
    world.finish_first_reads()
    of_process = ("spend_source_rows_total", "spend_source_errors_total", "spend_bigquery_billed_bytes_total")
    history = seen(
        scraper,
        server,
        lambda found: all(total(found, name) for name in (*COUNTED_BY_LEDGER, *of_process)),
        "the history of every counter",
    )
    world.let_the_hour_happen()
    seen(
        scraper,
        server,
        lambda found: (
            all(
                total(found, name) - total(history, name) == pytest.approx(grew)
                for name, grew in COUNTED_BY_LEDGER.items()
            )
            and total(found, "spend_remote_write_failures_total") > 0
        ),
        "what the hour adds",
    )


def check(scraper: Scraper, server: Server) -> None:
    """Compare what happened with how samples in Prometheus rise, and with what `increase` makes of it.

    Over two hours: a counter is created at the full hour, which may be one hour ago at the end of the test.
    """
    until(
        lambda: scraper.total("min(count_over_time(spend_restated_usd_total[1h]))") >= ENOUGH_SCRAPES,
        "enough scrapes",
        pause_seconds=0.5,
    )
    wrong, after = {}, exposed(server)
    for name in COUNTERS:
        happened = COUNTED_BY_LEDGER.get(name, total(after, name))
        risen, increase = scraper.risen(name), scraper.total(f"increase({name}[2h])")
        # Scrapes go on while Prometheus is asked.
        exact = 0.5 if name == "spend_exporter_scrapes_total" else 1e-9
        if risen != pytest.approx(happened, rel=exact) or not 0.99 * risen <= increase < 1.5 * risen:
            wrong[name] = (happened, risen, increase)
    assert not wrong


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[CounterWorld]:
    with running_world(tmp_path, getattr(request, "param", ZERO)) as running:
        yield running


@pytest.mark.skipif(PROMETHEUS_2 is None, reason="Prometheus is not installed")
def test_increase_is_what_happened_of_every_counter(world: CounterWorld, tmp_path: Path) -> None:
    assert PROMETHEUS_2
    with serving(world) as server, scraping(tmp_path, PROMETHEUS_2, free_port(), target(server)) as scraper:
        live_through_the_hour(world, scraper, server)
        check(scraper, server)


@pytest.mark.skipif(PROMETHEUS_2 is None, reason="Prometheus is not installed")
def test_a_restart_adds_nothing_and_changes_no_time_of_creation(world: CounterWorld, tmp_path: Path) -> None:
    assert PROMETHEUS_2
    with serving(world) as server, scraping(tmp_path, PROMETHEUS_2, free_port(), target(server)) as scraper:
        live_through_the_hour(world, scraper, server)
        before = created(server)
        world.stop()
        world.open()
        world.keep_reading()
        until(lambda: "spend_billed_usd_total" in exposed(server), "counters after the restart")
        after = exposed(server)
        scrapes = scraper.total("sum(count_over_time(up[1h]))")
        until(
            lambda: scraper.total("sum(count_over_time(up[1h]))") > scrapes + 2,
            "scrapes after the restart",
            pause_seconds=0.5,
        )
        assert {name: scraper.risen(name) for name in COUNTED_BY_LEDGER} == pytest.approx(COUNTED_BY_LEDGER)
        assert {name: total(after, name) for name in COUNTED_BY_LEDGER} == pytest.approx(
            {name: scraper.total(name) for name in COUNTED_BY_LEDGER}
        )
        again = created(server)
        kept = {key for key in before if f"{key[0].removesuffix('_created')}_total" in COUNTED_BY_LEDGER}
        assert len(kept) >= 2 * len(COUNTED_BY_LEDGER) - 1
        assert {key: again[key] for key in kept} == {key: before[key] for key in kept}


@pytest.mark.skipif(PROMETHEUS_3 is None, reason="no Prometheus 3 in .cache")
@pytest.mark.parametrize("world", [timedelta(0), ZERO], indirect=True)
def test_increase_is_what_happened_where_prometheus_reads_when_counters_were_created(
    world: CounterWorld, tmp_path: Path
) -> None:
    assert PROMETHEUS_3
    # Half of the block is how old a zero may be: by default an hour, which is over where the clock strikes.
    flags = ("--enable-feature=created-timestamp-zero-ingestion", "--storage.tsdb.min-block-duration=4h")
    with (
        serving(world) as server,
        scraping(tmp_path, PROMETHEUS_3, free_port(), target(server), *flags) as scraper,
    ):
        live_through_the_hour(world, scraper, server)
        check(scraper, server)
        assert scraper.instant('{__name__=~".+_created"}') == {}
