"""A real Prometheus counts orders: the cost of one is yesterday's bill over yesterday's orders."""

from __future__ import annotations

import shutil
import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from exporter.config.attribution import ChargeMatch, UnitCost
from exporter.ledger.charges.store import Ledger
from exporter.ledger.unit_counts import unit_counts
from exporter.metrics.attribution import attributed_costs, unit_families
from exporter.refresh.unit_counting import UnitCounting
from exporter.sources.prometheus_units import UnitCounts, UnitFailure, end_of_yesterday
from exporter.wiring.attribution import configured_attribution
from tests.integration.test_prometheus_scrapes import prometheus
from tests.support.charge_rows import HOUR, charge, put
from tests.support.exposed import until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("promtool") is None, reason="prometheus is not installed"),
]
PACIFIC = "America/Los_Angeles"
ORDERS_AN_HOUR = 50


def with_orders(folder: Path, end: datetime) -> None:
    """Put three days of a counter before `end` into a Prometheus' storage, a sample every 15 minutes."""
    step = timedelta(minutes=15)
    lines = ["# TYPE orders counter"]
    for number in range(3 * 24 * 4 + 1):
        at = end - 3 * timedelta(days=1) + number * step
        for shop in ("a", "b"):
            lines.append(f'orders_total{{shop="{shop}"}} {number * ORDERS_AN_HOUR / 8} {at.timestamp():.0f}')
    text = folder / "orders.txt"
    text.write_text("\n".join([*lines, "# EOF", ""]), encoding="utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "tsdb")]
    subprocess.run(command, check=True, capture_output=True)


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready") as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def test_the_cost_of_an_order_is_yesterdays_bill_over_yesterdays_orders(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    midnight = end_of_yesterday(now, PACIFIC)
    with_orders(tmp_path, midnight)
    ledger = Ledger(None)
    put(
        ledger,
        tmp_path,
        "a",
        charge("24", charge_period_start=midnight - HOUR),
        charge("7", charge_period_start=midnight - HOUR, service_name="BigQuery", service_id="x"),
        charge("100", charge_period_start=midnight),
    )
    with prometheus(tmp_path, "  []\n") as url:
        until(lambda: is_ready(url), "Prometheus is ready")
        queries = {
            "order": "sum(increase(orders_total[1d]))",
            "scalar": "scalar(sum(increase(orders_total[1d])) / 2)",
            "by_shop": "increase(orders_total[1d])",
            "none": "sum(increase(no_such_total[1d]))",
            "nan": "sum(increase(orders_total[1d])) * NaN",
            "broken": "sum(",
        }
        configured = configured_attribution(
            None,
            {"shop": (ChargeMatch(words=("compute",)),)},
            unit_costs={
                name: UnitCost.model_validate(
                    {"match": {"category": "shop"}, "promql": promql, "prometheus": url}
                )
                for name, promql in queries.items()
            },
        )
        found = UnitCounts(configured.unit_queries, PACIFIC).read(now)
        UnitCounting(ledger, UnitCounts(configured.unit_queries[:1], PACIFIC), timedelta(days=62)).count(now)
    reasons = {name: each.reason for name, each in found.items() if isinstance(each, UnitFailure)}
    assert reasons == {
        "by_shop": "many_values",
        "none": "no_value",
        "nan": "bad_value",
        "broken": "bad_query",
    }
    counts = {name: each for name, each in found.items() if isinstance(each, float)}
    assert counts["order"] == pytest.approx(24 * ORDERS_AN_HOUR, rel=0.02)
    assert counts["scalar"] == pytest.approx(12 * ORDERS_AN_HOUR, rel=0.02)
    yesterday = now.astimezone(ZoneInfo(PACIFIC)).date() - timedelta(days=1)
    with ledger.view(["files"]) as view:
        kept = unit_counts(view, "order", yesterday - timedelta(days=62), yesterday + timedelta(days=1))
        costs = attributed_costs(view, now, {"gcp": PACIFIC}, configured.attribution)
    cost_family, _ = unit_families(costs, configured.units, counts)
    assert dict(cost_family.samples)[("order",)] == pytest.approx(24 / (24 * ORDERS_AN_HOUR), rel=0.02)
    # Prometheus has three days; of the first it may have only a part.
    assert sorted(kept) == [yesterday - timedelta(days=1), yesterday]
    assert list(kept.values()) == pytest.approx([24 * ORDERS_AN_HOUR] * 2, rel=0.02)
    ledger.close()
