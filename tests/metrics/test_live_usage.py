"""Live usage as metric families, beside sums done by hand over a small bill and an hour of points."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from exporter.analysis.unit_cost.list_prices import LIST_PRICES
from exporter.analysis.unit_cost.rate_book import RateBook, RateCard
from exporter.core.charges import UsagePoint
from exporter.core.meters import GIBIBYTE, RUN
from exporter.ledger.charges.store import Ledger
from exporter.ledger.usage.store import UsageLedger
from exporter.metrics.live_usage import SHOWN_FOR, PricedUsage, live_usage_families, prices, read_live_usage
from exporter.metrics.outlooks.live_lines import live_per_line
from exporter.metrics.outlooks.nowcast import cost_history
from exporter.refresh.refresher import Refresher
from exporter.sources.base import HoursRead
from exporter.sources.files.source import FilesSource
from exporter.sources.spool import write_usage_csv
from tests.support.charge_rows import charge, put
from tests.support.export_rows import export_row, write_parquet
from tests.support.exposed import samples

NOW = datetime(2026, 11, 20, 12, 5, tzinfo=UTC)
THROUGH = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEGAN = THROUGH - 9 * HOUR
DAY = timedelta(days=1)
SHOP = ("shop-prod", "europe-west4", "checkout")
REVISIONS = ("checkout-00007", "checkout-00008")

REQUESTS = ("2DA5-55D3-E679", "Requests")
CPU = ("4856-B847-F1EB", "Services CPU (Request-based billing) in europe-west4")
MEMORY = ("02A2-9231-36A6", "Services Memory (Request-based billing) in europe-west4")
BILLED = {
    # Dollars a day with credits, and units a day.
    REQUESTS: ("0.30", 1_000_000.0, "requests"),
    CPU: ("4.00", 200_000.0, "seconds"),
    MEMORY: ("1.00", 500_000.0 * GIBIBYTE, "byte-seconds"),
}
REQUEST_USD, CPU_USD, MEMORY_USD = 0.30 / 1e6, 4.00 / 2e5, 1.00 / (5e5 * GIBIBYTE)

USED = {
    # Of the trailing hour, by revision.
    "cloud_run_requests": (900.0, 300.0),
    "cloud_run_cpu_seconds": (540.0, 60.0),
    "cloud_run_memory_byte_seconds": (200.0 * GIBIBYTE, 100.0 * GIBIBYTE),
    "cloud_run_cold_starts": (2.0, 1.0),
}
HOUR_USD = 1200 * REQUEST_USD + 600 * CPU_USD + 300 * GIBIBYTE * MEMORY_USD

Values = dict[str, dict[tuple[str, ...], float]]
_numbers = count()


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def put_bill(ledger: Ledger, folder: Path) -> None:
    """Settled days of the three SKUs; a credit takes a quarter off what the CPU costs at first."""
    charges = []
    for day in range(5, 15):
        start = THROUGH - day * DAY
        for (sku_id, sku), (usd, quantity, unit) in BILLED.items():
            same: dict[str, Any] = {
                "service_id": RUN,
                "service_name": "Cloud Run",
                "sku_id": sku_id,
                "sku": sku,
                "charge_period_start": start,
                "export_hour": start + 5 * HOUR,
                "consumed_unit": unit,
            }
            gross = "5.00" if sku_id == CPU[0] else usd
            charges.append(charge(gross, consumed_quantity=quantity, **same))
            if sku_id == CPU[0]:
                charges.append(charge("-1.00", charge_category="credit", consumed_quantity=0.0, **same))
    put(ledger, folder, "bill", *charges)


def point(meter: str, value: float, **changes: Any) -> UsagePoint:
    plain: dict[str, Any] = {
        "provider": "gcp",
        "project_id": SHOP[0],
        "region_id": SHOP[1],
        "service_id": RUN,
        "resource": SHOP[2],
        "revision": REVISIONS[0],
        "meter": meter,
        "dimension": "2xx" if meter == "cloud_run_requests" else "",
        "start": THROUGH - HOUR,
        "end": THROUGH - HOUR + timedelta(minutes=1),
        "value": value,
        "unit": "units",
    }
    return UsagePoint(**{**plain, **changes})


def put_usage(
    ledger: Ledger,
    folder: Path,
    *points: UsagePoint,
    since: datetime = THROUGH - HOUR,
    until: datetime = THROUGH,
) -> None:
    """What was read of the meters of the points, up to `until`."""
    read = {(each.project_id, each.meter) for each in points}
    spool = write_usage_csv(folder / f"usage-{next(_numbers)}.csv", points)
    reads = [HoursRead(project, meter, since, until, until, "read") for project, meter in sorted(read)]
    UsageLedger(ledger).put("cloud_monitoring", reads, spool)
    spool.unlink()


def hour_of_checkout() -> list[UsagePoint]:
    found = [
        point(meter, amount, revision=revision)
        for meter, amounts in USED.items()
        for revision, amount in zip(REVISIONS, amounts, strict=True)
    ]
    # The failures of one revision are kept apart; they are requests all the same.
    found[0] = point("cloud_run_requests", 890.0)
    return [*found, point("cloud_run_requests", 10.0, dimension="5xx")]


def live(ledger: Ledger, card: RateCard | None = None) -> PricedUsage:
    with ledger.view(["files"]) as view, UsageLedger(ledger).view() as usage:
        return read_live_usage(view, usage, NOW, card)


def reported(ledger: Ledger, card: RateCard | None = None) -> Values:
    """Price what is not priced yet, as a rebuild does, and return every family's samples."""
    known = live(ledger, card)
    usage = UsageLedger(ledger)
    with usage.view() as view:
        unpriced = prices(view.totals(NOW - SHOWN_FOR), known.rates)
    usage.price(unpriced)
    with usage.view() as view:
        return {each.family.name: dict(each.samples) for each in live_usage_families(view, known, NOW)}


@pytest.mark.slow
def test_unit_costs_are_the_hours_usage_at_the_bills_rates(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    put_usage(ledger, tmp_path, *hour_of_checkout())
    found = reported(ledger)
    for name, expected in {
        "cost_per_request_usd": HOUR_USD / 1200,
        "cpu_seconds_per_request": 600 / 1200,
        "cost_per_cpu_second_usd": HOUR_USD / 600,
        "cold_start_ratio": 3 / 1200,
    }.items():
        assert found[f"spend_cloud_run_{name}"] == {SHOP: pytest.approx(expected, rel=1e-12)}
    assert found["spend_live_cost_usd_per_hour"][
        (*SHOP, "cloud_run_cpu_seconds", "", "billed")
    ] == pytest.approx(600 * CPU_USD)
    assert sum(found["spend_live_cost_usd_per_hour"].values()) == pytest.approx(HOUR_USD)
    unit = found["spend_live_unit_cost_usd"][(*SHOP, "cloud_run_cpu_seconds", "", "vCPU hour")]
    assert unit == pytest.approx(3600 * CPU_USD)


def test_counters_are_reported_by_revision_response_and_component(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    put_usage(ledger, tmp_path, *hour_of_checkout())
    found = reported(ledger)
    old, new = ((*SHOP, revision) for revision in REVISIONS)
    assert found["spend_cloud_run_requests_total"] == {
        (*old, "2xx"): 890.0,
        (*old, "5xx"): 10.0,
        (*new, "2xx"): 300.0,
    }
    assert found["spend_cloud_run_cpu_seconds_total"] == {old: 540.0, new: 60.0}
    assert found["spend_cloud_run_memory_gibibyte_seconds_total"] == {old: 200.0, new: 100.0}
    assert found["spend_cloud_run_cold_starts_total"] == {old: 2.0, new: 1.0}
    assert found["spend_cloud_run_estimated_usd_total"] == {
        (*old, "requests"): pytest.approx(900 * REQUEST_USD),
        (*old, "cpu"): pytest.approx(540 * CPU_USD),
        (*old, "memory"): pytest.approx(200 * GIBIBYTE * MEMORY_USD),
        (*new, "requests"): pytest.approx(300 * REQUEST_USD),
        (*new, "cpu"): pytest.approx(60 * CPU_USD),
        (*new, "memory"): pytest.approx(100 * GIBIBYTE * MEMORY_USD),
    }


@pytest.mark.slow
def test_a_rate_says_what_made_it(ledger: Ledger, tmp_path: Path) -> None:
    put_usage(ledger, tmp_path, *hour_of_checkout())
    place = SHOP[:2]
    # The month's free allowance is not used up, so list prices are nought.
    assert reported(ledger)["spend_cloud_run_rate_usd"] == {
        (*place, component, "request", "list"): 0.0 for component in ("requests", "cpu", "memory")
    }
    put_bill(ledger, tmp_path)
    assert reported(ledger)["spend_cloud_run_rate_usd"] == {
        (*place, "requests", "request", "billed"): pytest.approx(REQUEST_USD),
        (*place, "cpu", "request", "billed"): pytest.approx(CPU_USD),
        (*place, "memory", "request", "billed"): pytest.approx(MEMORY_USD * GIBIBYTE),
    }
    card = RateCard(0.1, 0.2, 0.3, 0.4, storage_usd_per_day=2.4)
    found = reported(ledger, card)
    assert found["spend_cloud_run_rate_usd"] == {
        (*place, component, "", "rate_card"): pytest.approx(usd)
        for component, usd in {"requests": 0.1, "cpu": 0.2, "memory": 0.3, "egress": 0.4}.items()
    }
    assert found["spend_cloud_run_cost_per_request_usd"] == {
        SHOP: pytest.approx((1200 * 0.1 + 600 * 0.2 + 300 * 0.3) / 1200)
    }
    fixed = [key for key in found["spend_live_cost_usd_per_hour"] if key[3] == "cloud_run_fixed_storage"]
    assert [found["spend_live_cost_usd_per_hour"][key] for key in fixed] == [pytest.approx(0.1)]


def put_two_modes(ledger: Ledger, folder: Path) -> None:
    """Days of a request-based and an instance-based service, and an hour of both."""
    instance = ("CPU-I", "Services CPU (Instance-based billing) in europe-west4")
    charges, points = [], []
    for ago in range(4, 15):
        start = THROUGH - ago * DAY
        for (sku_id, sku), usd, seconds in ((CPU, "4.80", 2e5), (instance, "5.40", 3e5)):
            charges.append(
                charge(
                    usd,
                    service_id=RUN,
                    service_name="Cloud Run",
                    sku_id=sku_id,
                    sku=sku,
                    charge_period_start=start,
                    export_hour=start + 5 * HOUR,
                    consumed_unit="seconds",
                    consumed_quantity=seconds,
                )
            )
        for name, seconds in (("checkout", 2e5), ("worker", 3e5)):
            span = {"start": start, "end": start + HOUR, "resource": name}
            points.append(point("cloud_run_cpu_seconds", seconds, **span))
    points += [point("cloud_run_cpu_seconds", 600.0, resource=name) for name in ("checkout", "worker")]
    put(ledger, folder, "bill", *charges)
    put_usage(ledger, folder, *points, since=THROUGH - 15 * DAY)


def test_services_of_two_billing_modes_are_each_priced_at_the_rate_of_their_own_sku(
    ledger: Ledger, tmp_path: Path
) -> None:
    put_two_modes(ledger, tmp_path)
    found = reported(ledger)
    place = SHOP[:2]
    assert found["spend_cloud_run_instance_based_ratio"] == {SHOP: 0.0, (*place, "worker"): 1.0}
    rates = {key: usd for key, usd in found["spend_cloud_run_rate_usd"].items() if key[2] == "cpu"}
    assert rates == {
        (*place, "cpu", "request", "billed"): pytest.approx(24e-6),
        (*place, "cpu", "instance", "billed"): pytest.approx(18e-6),
    }
    assert found["spend_live_cost_usd_per_hour"] == {
        (*SHOP, "cloud_run_cpu_seconds", "", "billed"): pytest.approx(600 * 24e-6),
        (*place, "worker", "cloud_run_cpu_seconds", "", "billed"): pytest.approx(600 * 18e-6),
    }
    assert found["spend_estimate_to_billed_ratio"] == {("gcp", "Cloud Run"): pytest.approx(1.0)}


def test_live_usage_of_a_sku_is_that_of_the_services_of_its_billing_mode(
    ledger: Ledger, tmp_path: Path
) -> None:
    put_two_modes(ledger, tmp_path)
    with ledger.view(["files"]) as view, UsageLedger(ledger).view() as usage:
        found = live_per_line(view, usage, cost_history(view, "gcp", NOW), NOW)
    hour = int((THROUGH - 4 * DAY).timestamp()) // 3600
    assert {line.sku_id: amounts[hour] for line, amounts in found.items()} == {CPU[0]: 2e5, "CPU-I": 3e5}


def test_beyond_the_free_allowance_the_list_price_counts(ledger: Ledger, tmp_path: Path) -> None:
    listed = LIST_PRICES["cloud_run_requests"]
    put_usage(ledger, tmp_path, point("cloud_run_requests", listed.free_per_month + 1))
    found = reported(ledger)["spend_cloud_run_rate_usd"]
    assert found[*SHOP[:2], "requests", "request", "list"] == listed.usd("europe-west4") > 0


def test_a_service_without_requests_has_no_ratio(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    put_usage(ledger, tmp_path, point("cloud_run_cpu_seconds", 60.0), point("cloud_run_cold_starts", 1.0))
    found = reported(ledger)
    assert found["spend_cloud_run_cost_per_request_usd"] == {}
    assert found["spend_cloud_run_cpu_seconds_per_request"] == {}
    assert found["spend_cloud_run_cold_start_ratio"] == {}
    assert found["spend_cloud_run_cost_per_cpu_second_usd"] == {SHOP: pytest.approx(CPU_USD)}


def test_usage_without_a_rate_is_counted_and_in_no_cost(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    sent = [point("cloud_run_egress_bytes", 5e9), point("cloud_run_egress_bytes", 5e9, resource="search")]
    put_usage(ledger, tmp_path, *hour_of_checkout(), *sent)
    found = reported(ledger)
    assert found["spend_usage_unpriced_resources"] == {(*SHOP[:2], "cloud_run_egress_bytes"): 2.0}
    assert found["spend_cloud_run_egress_bytes_total"][(*SHOP, REVISIONS[0])] == 5e9
    for name in ("spend_cloud_run_estimated_usd_total", "spend_cloud_run_rate_usd"):
        assert {key for key in found[name] if "egress" in key} == set()
    assert all(key[3] != "cloud_run_egress_bytes" for key in found["spend_live_cost_usd_per_hour"])
    assert found["spend_cloud_run_cost_per_request_usd"][SHOP] == pytest.approx(HOUR_USD / 1200)


def test_without_a_rate_for_cpu_a_request_has_no_cost(ledger: Ledger, tmp_path: Path) -> None:
    put_usage(ledger, tmp_path, *hour_of_checkout())
    known = live(ledger)
    bare = RateBook({}, known.rates._meters, list_prices={})
    with UsageLedger(ledger).view() as view:
        families = live_usage_families(view, PricedUsage(bare, [], known.daily, known.settled_through), NOW)
    found = {each.family.name: dict(each.samples) for each in families}
    assert found["spend_cloud_run_cost_per_request_usd"] == {}
    assert found["spend_cloud_run_cost_per_cpu_second_usd"] == {}
    assert found["spend_cloud_run_estimated_usd_total"] == {}
    assert found["spend_cloud_run_cpu_seconds_per_request"] == {SHOP: 0.5}
    assert set(found["spend_usage_unpriced_resources"].values()) == {1.0, 2.0}


@pytest.mark.slow
def test_dollars_counted_stay_whatever_rates_do(ledger: Ledger, tmp_path: Path) -> None:
    def card(usd: float) -> RateCard:
        return RateCard(usd, 0.0, 0.0, 0.0)

    def dollars(usd: float) -> float:
        return sum(reported(ledger, card(usd))["spend_cloud_run_estimated_usd_total"].values())

    put_usage(ledger, tmp_path, point("cloud_run_requests", 100.0))
    assert dollars(0.5) == pytest.approx(50.0)
    assert dollars(0.1) == pytest.approx(50.0)
    assert dollars(9.0) == pytest.approx(50.0)
    put_usage(ledger, tmp_path, point("cloud_run_requests", 130.0))
    assert dollars(0.1) == pytest.approx(53.0)


def test_only_what_is_not_priced_yet_gets_a_price(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    put_usage(ledger, tmp_path, point("cloud_run_requests", 100.0), point("cloud_run_egress_bytes", 1e9))
    known = live(ledger)
    usage = UsageLedger(ledger)
    with usage.view() as view:
        totals = view.totals(NOW - SHOWN_FOR)
    named = {each.usage_series_id: each.meter for each in totals}
    first = prices(totals, known.rates)
    assert {named[number]: usd for number, usd in first.items()} == {
        "cloud_run_requests": pytest.approx(REQUEST_USD)
    }
    usage.price(first)
    with usage.view() as view:
        assert prices(view.totals(NOW - SHOWN_FOR), known.rates) == {}


def test_coverage_shows_how_fresh_usage_and_rates_are(ledger: Ledger, tmp_path: Path) -> None:
    put_bill(ledger, tmp_path)
    put_usage(ledger, tmp_path, *hour_of_checkout())
    found = reported(ledger)
    assert found["spend_usage_through_timestamp_seconds"] == {
        ("shop-prod", meter): THROUGH.timestamp() for meter in USED
    }
    newest = datetime(2026, 11, 15, tzinfo=UTC).timestamp()
    assert found["spend_rate_billed_through_timestamp_seconds"] == {
        (meter,): newest for meter in USED if meter != "cloud_run_cold_starts"
    }


def test_a_meter_that_lags_behind_the_others_is_seen(ledger: Ledger, tmp_path: Path) -> None:
    put_usage(ledger, tmp_path, *hour_of_checkout())
    behind = THROUGH - 3 * HOUR
    late = point("cloud_run_egress_bytes", 5.0, start=behind - HOUR, end=behind)
    put_usage(ledger, tmp_path, late, since=behind - HOUR, until=behind)
    assert reported(ledger)["spend_usage_through_timestamp_seconds"] == {
        **{("shop-prod", meter): THROUGH.timestamp() for meter in USED},
        ("shop-prod", "cloud_run_egress_bytes"): behind.timestamp(),
    }


@pytest.mark.parametrize(
    ("meter", "ago"),
    [
        # Unused for longer than a day; read by the hour on purpose; of a version that knew other meters.
        ("cloud_sql_cpu_seconds", 30 * HOUR),
        ("compute_utilization_seconds", 2 * HOUR),
        ("retired_meter", 2 * HOUR),
    ],
)
def test_meters_that_are_not_in_use_or_late_on_purpose_are_left_out(
    ledger: Ledger, tmp_path: Path, meter: str, ago: timedelta
) -> None:
    put_usage(ledger, tmp_path, *hour_of_checkout())
    used, known = THROUGH - ago, THROUGH - HOUR
    put_usage(
        ledger, tmp_path, point(meter, 5.0, start=used - HOUR, end=used), since=used - HOUR, until=known
    )
    never = HoursRead("shop-prod", "cloud_sql_memory_byte_seconds", BEGAN, BEGAN + HOUR, BEGAN + HOUR, "read")
    UsageLedger(ledger).put("cloud_monitoring", [never], write_usage_csv(tmp_path / "none.csv", []))
    assert reported(ledger)["spend_usage_through_timestamp_seconds"] == {
        ("shop-prod", name): THROUGH.timestamp() for name in USED
    }


def test_the_estimate_is_held_against_the_bill_of_the_days_that_both_know(
    ledger: Ledger, tmp_path: Path
) -> None:
    put_bill(ledger, tmp_path)
    days = {day: THROUGH - day * DAY for day in range(5, 9)}
    points = []
    for day, start in days.items():
        # Live usage sees all requests and memory, and nine tenths of the CPU seconds that are billed.
        for (sku_id, _), (_, quantity, _) in BILLED.items():
            meter = {REQUESTS[0]: "cloud_run_requests", CPU[0]: "cloud_run_cpu_seconds"}.get(
                sku_id, "cloud_run_memory_byte_seconds"
            )
            seen = 0.9 * quantity if sku_id == CPU[0] else quantity
            points.append(point(meter, seen, start=start, end=start + HOUR))
        assert start.date() == date(2026, 11, 20 - day)
    put_usage(ledger, tmp_path, *points, since=days[8])
    found = reported(ledger)
    ratio = (0.30 + 0.9 * 4.00 + 1.00) / (0.30 + 4.00 + 1.00)
    assert found["spend_estimate_to_billed_ratio"] == {("gcp", "Cloud Run"): pytest.approx(ratio)}
    assert found["spend_estimate_explained_ratio"] == {("gcp", "Cloud Run"): pytest.approx(1.0)}


@pytest.mark.slow
def test_without_a_source_of_usage_it_has_no_metrics(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [export_row()])
    ledger = Ledger(None)
    try:
        put_usage(ledger, tmp_path, *hour_of_checkout())
        refresher = Refresher(
            [FilesSource([str(tmp_path / "*.parquet")])],
            ledger,
            tmp_path,
            interval=HOUR,
            keep=timedelta(days=400),
            max_series=1000,
            clock=lambda: NOW,
        )
        found = samples(refresher.refresh_all().exposition.text)
    finally:
        ledger.close()
    assert found["spend_billed_usd_total"]
    live_names = ("spend_cloud_run_", "spend_live_", "spend_usage_", "spend_rate_", "spend_estimate_")
    assert {name for name, values in found.items() if name.startswith(live_names) and values} == set()
