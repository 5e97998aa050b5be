"""How counters begin: with what was counted before, or at zero for a while; and when they were created."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from exporter.core import llm_meters
from exporter.core.charges import UsagePoint
from exporter.ledger.charges.store import Ledger
from exporter.ledger.first_reads import FirstReads
from exporter.ledger.unseen import mark_seen, unseen
from exporter.ledger.usage.handover import hand_over
from exporter.ledger.usage.llm import LlmView
from exporter.ledger.usage.store import UsageLedger
from exporter.metrics.billed import billed_families, lateness_families
from exporter.metrics.counters import Counters, summed
from exporter.metrics.exposition.exposition import render
from exporter.metrics.families import SPEND_LLM_TOKENS_TOTAL, Family, FamilySamples
from exporter.metrics.llm import SHOWN_FOR, USAGE_METERS, proxy_families, token_families
from exporter.sources.spool import write_usage_csv
from tests.support.charge_rows import HOUR, charge, put

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG_AGO = NOW - timedelta(days=20)
COUNTED = Family("counted_total", "counter", ("name",), "What was counted.")
ZONES = {"gcp": "America/Los_Angeles"}


def values(families: list[FamilySamples]) -> dict[tuple[str, ...], float]:
    [family] = families
    return dict(family.samples)


def shown(counters: Counters, now: datetime, *found: FamilySamples) -> dict[tuple[str, ...], float]:
    return values(counters.begin(found, now))


def of_process(**numbers: float) -> FamilySamples:
    return FamilySamples(COUNTED, [((name,), value) for name, value in numbers.items()])


def of_ledger(beginning: str = "", **numbers: float) -> FamilySamples:
    return FamilySamples(
        COUNTED,
        [((name,), value) for name, value in numbers.items()],
        created=dict.fromkeys([(name,) for name in numbers], LONG_AGO.timestamp()),
        beginning=frozenset({(beginning,)} if beginning else ()),
    )


@pytest.fixture
def counters() -> Counters:
    made = Counters(NOW)
    made.show_zero_first(2 * MINUTE)
    return made


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def test_what_the_process_counts_is_zero_first_and_then_all_of_it(counters: Counters) -> None:
    assert shown(counters, NOW, of_process(a=5)) == {("a",): 0}
    assert shown(counters, NOW + MINUTE, of_process(a=6, b=1)) == {("a",): 0, ("b",): 0}
    assert not counters.due(NOW + MINUTE)
    assert counters.due(NOW + 2 * MINUTE)
    assert shown(counters, NOW + 2 * MINUTE, of_process(a=7, b=1)) == {("a",): 7, ("b",): 0}
    assert shown(counters, NOW + 3 * MINUTE, of_process(a=7, b=2)) == {("a",): 7, ("b",): 2}
    assert not counters.due(NOW + 9 * MINUTE)


def test_history_is_in_the_first_value_of_a_counter_of_the_ledger(counters: Counters) -> None:
    assert shown(counters, NOW, of_ledger(old=1000)) == {("old",): 1000}


def test_a_counter_of_the_ledger_that_begins_now_is_zero_once(counters: Counters) -> None:
    later = (NOW + each * MINUTE for each in (0, 1, 2, 3))
    found = [shown(counters, at, of_ledger("new", old=1000, new=5)) for at in later]
    assert found == [{("old",): 1000, ("new",): value} for value in (0, 0, 5, 5)]


def test_a_counter_that_vanishes_while_it_is_zero_is_not_waited_for(counters: Counters) -> None:
    shown(counters, NOW, of_process(a=1))
    counters.begin([of_process()], NOW + 3 * MINUTE)
    assert not counters.due(NOW + 4 * MINUTE)


def test_a_process_that_is_not_scraped_repeatedly_shows_values_at_once() -> None:
    assert shown(Counters(NOW), NOW, of_process(a=5)) == {("a",): 5}


def test_gauges_are_left_as_they_are(counters: Counters) -> None:
    gauge = FamilySamples(Family("level", "gauge", (), "A level."), [((), 3.0)])
    assert counters.begin([gauge], NOW) == [gauge]


def test_openmetrics_alone_has_when_counters_were_created(counters: Counters) -> None:
    found = counters.begin([of_ledger("new", old=1000, new=5), _other(7.5)], NOW)
    exposition = render(found)
    assert b"_created" not in exposition.text
    assert exposition.openmetrics.decode().splitlines() == [
        "# HELP counted What was counted.",
        "# TYPE counted counter",
        'counted_total{name="old"} 1000',
        f'counted_created{{name="old"}} {int(LONG_AGO.timestamp())}',
        'counted_total{name="new"} 0',
        f'counted_created{{name="new"}} {int(LONG_AGO.timestamp())}',
        "# HELP others Others.",
        "# TYPE others counter",
        "others_total 0",
        f"others_created {int(NOW.timestamp())}",
    ]
    [counted, _] = parse_openmetrics(exposition.openmetrics.decode() + "# EOF\n")
    assert [sample.name for sample in counted.samples] == ["counted_total", "counted_created"] * 2


def _other(value: float) -> FamilySamples:
    return FamilySamples(Family("others_total", "counter", (), "Others."), [((), value)])


def test_a_counter_is_as_old_as_its_oldest_part_and_begins_if_all_its_parts_do() -> None:
    old, new = ("old",), ("new",)
    parts = [(old, 1.0, 50.0, True), (old, 2.0, 40.0, False), (new, 3.0, 60.0, True), (new, 1.0, None, True)]
    found = summed(COUNTED, parts)
    assert dict(found.samples) == {old: 3.0, new: 4.0}
    assert found.created == {old: 40.0, new: 60.0}
    assert found.beginning == {new}


def test_no_order_of_adding_makes_a_sum_fall() -> None:
    amounts = [0.1, 1e16, 0.3, 7.7, 1e-9, 3e8]
    [forwards] = summed(COUNTED, [((), each, None, False) for each in amounts]).samples
    [backwards] = summed(COUNTED, [((), each, None, False) for each in reversed(amounts)]).samples
    assert forwards == backwards


def billed(ledger: Ledger, max_series: int = 1000) -> dict[str, FamilySamples]:
    with ledger.view(["files"]) as view:
        found = billed_families(view, NOW, ZONES, max_series, everything_read=True)
        families = [*found.families, *lateness_families(view, NOW, ZONES)]
    ledger.publish(found.newly_own, found.newly_folded)
    return {each.family.name: each for each in families}


def by_sku(found: FamilySamples) -> dict[str, float]:
    assert found.created is not None
    return {labels[4]: since for labels, since in found.created.items()}


@pytest.mark.slow
def test_a_bill_is_history_when_it_is_first_read_and_a_new_sku_begins_later(
    ledger: Ledger, tmp_path: Path
) -> None:
    reads = FirstReads(ledger)
    reads.begin("files")
    put(ledger, tmp_path, "old", charge("10", sku_id="A", export_hour=LONG_AGO))
    put(ledger, tmp_path, "recent", charge("1", sku_id="A", export_hour=NOW), charge("2", sku_id="B"))
    reads.end("files")
    assert billed(ledger)["spend_billed_usd_total"].beginning == frozenset()

    put(ledger, tmp_path, "new", charge("5", sku_id="C", export_hour=NOW))
    put(ledger, tmp_path, "found late", charge("5", sku_id="D", export_hour=LONG_AGO))
    found = billed(ledger)
    assert [labels[4] for labels in found["spend_billed_usd_total"].beginning] == ["C"]
    assert by_sku(found["spend_billed_usd_total"]) == {
        "A": LONG_AGO.timestamp(),
        "B": (NOW - 7 * HOUR).timestamp(),
        "C": NOW.timestamp(),
        "D": LONG_AGO.timestamp(),
    }
    assert found["spend_restated_usd_total"].created == {
        ("gcp", "down"): LONG_AGO.timestamp(),
        ("gcp", "up"): LONG_AGO.timestamp(),
    }

    mark_seen(ledger, unseen(ledger, ["files"]))
    assert billed(ledger)["spend_billed_usd_total"].beginning == frozenset()


def test_what_a_series_left_in_other_keeps_the_age_of_other(ledger: Ledger, tmp_path: Path) -> None:
    rows = [charge(str(100 - number), sku_id=str(number), export_hour=LONG_AGO) for number in range(9)]
    put(ledger, tmp_path, "day", *rows)
    assert "other" in by_sku(billed(ledger, 20)["spend_billed_usd_total"])
    all_own = billed(ledger)["spend_billed_usd_total"]
    assert by_sku(all_own)["other"] == LONG_AGO.timestamp()
    assert {labels for labels, _ in all_own.samples} == set(all_own.created or {})


def use(
    ledger: Ledger,
    folder: Path,
    name: str,
    at: datetime,
    *points: tuple[str, str],
    meter: str = llm_meters.TOKENS,
    source: str = "usage_logs",
) -> None:
    """Ten tokens for each pair of model and key, added by a source of LLM usage."""
    found = [
        UsagePoint("openai", "team", "", "", model, key, meter, "input", at, at + HOUR, 10, "tokens")
        for model, key in points
    ]
    spool = write_usage_csv(folder / "points.csv", found)
    UsageLedger(ledger).add(source, name, "cursor", spool)


def tokens(ledger: Ledger, *awaited: str) -> FamilySamples:
    with ledger.view(["usage_logs"]) as view:
        families = token_families(LlmView(view.connection, view.sources), NOW, awaited)
    [found] = [each for each in families if each.family is SPEND_LLM_TOKENS_TOTAL]
    return found


@pytest.mark.slow
def test_a_model_that_is_new_begins_and_one_of_the_first_read_does_not(
    ledger: Ledger, tmp_path: Path
) -> None:
    reads = FirstReads(ledger)
    reads.begin("usage_logs")
    use(ledger, tmp_path, "log/1", LONG_AGO, ("old", ""))
    use(ledger, tmp_path, "log/2", NOW, ("recent", ""))
    reads.end("usage_logs")
    use(ledger, tmp_path, "log/3", NOW, ("new", ""), ("old", ""))
    use(ledger, tmp_path, "log/4", LONG_AGO, ("found late", ""))
    found = tokens(ledger)
    assert found.beginning == {("openai", "new", "input")}
    assert found.created == {
        ("openai", model, "input"): since.timestamp()
        for model, since in (("old", LONG_AGO), ("recent", NOW), ("new", NOW), ("found late", LONG_AGO))
    }
    assert unseen(ledger, ["another"]).usage_series == []
    assert len(unseen(ledger, ["usage_logs"]).usage_series) == 1


def test_a_models_counter_keeps_the_tokens_of_a_key_that_rests(ledger: Ledger, tmp_path: Path) -> None:
    use(
        ledger, tmp_path, "log/1", NOW - SHOWN_FOR - HOUR, ("model", "one"), ("model", "two"), ("gone", "one")
    )
    use(ledger, tmp_path, "log/2", NOW, ("model", "two"))
    assert dict(tokens(ledger).samples) == {("openai", "model", "input"): 30.0}


def test_a_key_that_rests_vanishes_from_what_a_proxy_counts(ledger: Ledger, tmp_path: Path) -> None:
    requests = llm_meters.PROXY_REQUESTS
    use(ledger, tmp_path, "log/1", NOW - SHOWN_FOR - HOUR, ("m", "one"), ("m", "two"), meter=requests)
    use(ledger, tmp_path, "log/2", NOW, ("m", "two"), meter=requests)
    with ledger.view(["usage_logs"]) as view:
        [_, _, counted] = proxy_families(LlmView(view.connection, view.sources), NOW)
    assert dict(counted.samples) == {("openai", "team", "two", "m"): 20.0}


def test_tokens_wait_for_the_source_that_will_own_them(ledger: Ledger, tmp_path: Path) -> None:
    use(ledger, tmp_path, "log/1", NOW, ("model", ""))
    assert dict(tokens(ledger, "openai").samples) == {}
    assert dict(tokens(ledger, "anthropic", "bigquery").samples) == {("openai", "model", "input"): 10.0}


def owned_by(ledger: Ledger, source: str) -> dict[tuple[str, ...], float]:
    """Hand the usage of OpenAI over to the source, and return its tokens by model."""
    hand_over(ledger, {"openai": [source]}, USAGE_METERS)
    sources = ["openai", "usage_logs"] if source == "openai" else ["usage_logs"]
    with ledger.view(sources) as view:
        families = token_families(LlmView(view.connection, view.sources), NOW)
    [found] = [each for each in families if each.family is SPEND_LLM_TOKENS_TOTAL]
    return {labels[1:2]: value for labels, value in found.samples}


@pytest.mark.slow
def test_counters_go_on_when_another_source_takes_over_and_when_it_gives_back(
    ledger: Ledger, tmp_path: Path
) -> None:
    def logged(name: str, *models: str) -> None:
        use(ledger, tmp_path, f"log/{name}", NOW, *((model, "") for model in models))

    def reported(name: str, *models: str) -> None:
        pairs = [(model, "") for model in models]
        use(ledger, tmp_path, f"api/{name}", NOW, *pairs, source="openai")

    logged("1", "a", "b")
    assert owned_by(ledger, "usage_logs") == {("a",): 10, ("b",): 10}
    for number in range(50):
        reported(str(number), "a", "c")
    assert owned_by(ledger, "openai") == {("a",): 10, ("b",): 10, ("c",): 0}
    logged("2", "a")
    reported("more", "a", "d")
    assert owned_by(ledger, "openai") == {("a",): 20, ("b",): 10, ("c",): 0, ("d",): 10}
    assert owned_by(ledger, "usage_logs") == {("a",): 20, ("b",): 10, ("c",): 0, ("d",): 10}
    logged("3", "b")
    assert owned_by(ledger, "usage_logs") == {("a",): 20, ("b",): 20, ("c",): 0, ("d",): 10}
