"""BigQuery and Cloud Monitoring: whatever they answer, it is refused with a declared error or set aside."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.meters import USAGE_TABLE
from exporter.ledger.usage.store import UsageLedger
from exporter.simulator.google.cloud_monitoring import CloudMonitoring, serving
from exporter.simulator.google.live_usage import SimulatedUsage
from exporter.sources.google.bigquery.source import BigQuerySource
from exporter.sources.google.monitoring.plan import Reach
from exporter.sources.google.monitoring.source import CloudMonitoringSource
from tests.fakes.bigquery_export import CHARGE_FIELDS, DAILY_TABLE, ExportRow, FakeExport
from tests.fakes.bigquery_rest import Answer, FakeBigQuery, Request
from tests.fuzz.hostile import CHANCES, TEXTS, changed_by, fuzzing
from tests.fuzz.reading import NOW, reading
from tests.support import live_world

pytestmark = pytest.mark.slow

TABLE = "pay.billing.gcp_billing_export_resource_v1_0A_0B_0C"
DAY = NOW.replace(hour=0) - timedelta(days=2)
GOOD = {"good-1": Decimal("1.5"), "good-2": Decimal("2.25")}


class LyingBigQuery(FakeBigQuery):
    """The service, some of whose answers come out otherwise."""

    change: Callable[[Request, dict[str, Any]], dict[str, Any]] = staticmethod(lambda _request, body: body)

    def handle(self, request: Request, bearer: str | None) -> tuple[int, dict[str, Any]] | None:
        answered = super().handle(request, bearer)
        return answered and (answered[0], self.change(request, answered[1]))


class OddRow(FakeExport):
    """An export with one row more, some of whose columns come out otherwise."""

    odd: tuple[tuple[str, Any], ...] = ()

    def __call__(self, purpose: str, sql: str) -> Answer:
        answer = super().__call__(purpose, sql)
        if purpose != "charges":
            return answer
        names = [name for name, _ in CHARGE_FIELDS]
        rows = [list(row) for row in answer.rows]
        for row in rows:
            if row[names.index("sku_id")] == "odd":
                for name, value in self.odd:
                    row[names.index(name)] = value
        return Answer(answer.fields, rows, answer.bytes_processed)


def big_query_source(server: FakeBigQuery) -> BigQuerySource:
    return BigQuerySource(
        table=TABLE,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        endpoint=server.address,
        sleep=lambda _seconds: None,
        jitter=lambda: 1.0,
    )


def export() -> OddRow:
    made = OddRow()
    exported = DAY + timedelta(hours=5)
    rows = [ExportRow(exported, cost=str(usd), sku_id=sku) for sku, usd in GOOD.items()]
    made.add_day(DAY, *rows, ExportRow(exported, sku_id="odd"))
    return made


# The query casts each column, and sets rows aside whose values are no amounts or times: what is left to go
# wrong are texts of any kind and amounts of any size.
ODD_COLUMNS = st.one_of(
    st.tuples(
        st.sampled_from(["project_id", "service_name", "sku", "region_id", "consumed_unit", "invoice_month"]),
        TEXTS,
    ),
    st.tuples(
        st.sampled_from(["billed_cost", "list_cost"]),
        st.sampled_from(["0", "-0.000000001", "1e-38", "9" * 14, "-" + "9" * 14, "0." + "3" * 38]),
    ),
    st.tuples(st.just("consumed_quantity"), st.sampled_from(["1e308", None, "-1", "0.0"])),
    st.tuples(st.just("conversion_rate"), st.sampled_from(["0.0001001", "999999999.0", "0.3"])),
)


@fuzzing()
@given(odd=st.lists(ODD_COLUMNS, min_size=1, max_size=3))
def test_no_group_of_bigquery_changes_what_the_others_sum_to(odd: list[tuple[str, Any]]) -> None:
    made = export()
    made.odd = tuple(odd)
    with (
        FakeBigQuery(made, tables={TABLE: dict(DAILY_TABLE)}, locations={"pay.billing": "EU"}) as server,
        reading(big_query_source(server)) as program,
    ):
        status = program.refresh()
        assert status.up, (status.last_error, odd)
        found = program.usd()
        assert {sku: found.get(sku) for sku in GOOD} == GOOD


@pytest.mark.filterwarnings("ignore:Unknown type:FutureWarning")
@fuzzing(1.5)
@given(chance=CHANCES)
def test_any_answer_of_bigquery_is_read_or_refused_with_a_declared_error(chance: random.Random) -> None:
    with LyingBigQuery(
        export(), tables={TABLE: dict(DAILY_TABLE)}, locations={"pay.billing": "EU"}
    ) as server:
        left = chance.randint(0, 6)

        def otherwise(_request: Request, body: dict[str, Any]) -> dict[str, Any]:
            nonlocal left
            left -= 1
            if left >= 0:
                return body
            # JSON has no NaN; Google's client reads what Python reads.
            made: dict[str, Any] = json.loads(json.dumps(changed_by(chance, body, most=2)))
            return made

        server.change = otherwise
        with reading(big_query_source(server)) as program:
            assert program.refresh().up is not None


class LyingMonitoring(CloudMonitoring):
    """The service, some of whose answers come out otherwise."""

    change: Callable[[Any], None] = staticmethod(lambda _page: None)

    def list_time_series(self, request: Any, context: Any) -> Any:
        page = super().list_time_series(request, context)
        self.change(page)
        return page

    def list_metric_descriptors(self, request: Any, context: Any) -> Any:
        page = super().list_metric_descriptors(request, context)
        self.change(page)
        return page


AMOUNTS = (float("nan"), float("inf"), float("-inf"), 1e308, -1.0, -1e308, 5e-324, 0.0)
SECONDS = (0, -1, -(2**63), 2**63 - 1, 253402300800, -62135596801, 1795174200)
LABELS = ("", "\0", "\x1b[2J", "a" * 5_000, "\u202eevil", "northwind-prod:x", "x-")
METERS = tuple(
    meter
    for meter in USAGE_TABLE
    if meter.name in ("cloud_run_requests", "cloud_run_cpu_seconds", "cloud_storage_byte_seconds")
)


def odd_point(chance: random.Random, series: Any) -> None:
    point = series.points.add()
    point.CopyFrom(series.points[0])
    what = chance.choice(["amount", "end", "none", "int", "text", "distribution"])
    if what == "amount":
        point.value.double_value = chance.choice(AMOUNTS)
    elif what == "end":
        point.interval.end_time.seconds = chance.choice(SECONDS)
    elif what == "none":
        point.ClearField("value")
    elif what == "int":
        point.value.int64_value = chance.choice([-(2**63), 2**63 - 1, 0])
    elif what == "text":
        point.value.string_value = "twelve"
    else:
        point.value.distribution_value.count = chance.choice([-1, 2**63 - 1])


@fuzzing()
@given(chance=CHANCES)
def test_any_answer_of_cloud_monitoring_is_read_or_refused_with_a_declared_error(
    chance: random.Random,
) -> None:
    clock = live_world.Clock()
    service = LyingMonitoring(SimulatedUsage(live_world.world()), clock)

    def otherwise(page: Any) -> None:
        if hasattr(page, "metric_descriptors"):
            for each in page.metric_descriptors:
                if chance.random() < 0.1:
                    each.metadata.sample_period.seconds = chance.choice(SECONDS)
                    each.metadata.ingest_delay.seconds = chance.choice(SECONDS)
            return
        for series in page.time_series[:3]:
            odd_point(chance, series)
            for labels in (series.resource.labels, series.metric.labels):
                for name in list(labels)[:1]:
                    if chance.random() < 0.5:
                        labels[name] = chance.choice(LABELS)

    service.change = otherwise
    with serving(service) as endpoint:
        source = CloudMonitoringSource(
            project_ids=["northwind-prod"],
            meters=METERS,
            reach=Reach(backfill=timedelta(hours=2)),
            endpoint=endpoint,
            plaintext=True,
            sleep=clock.sleep,
            jitter=lambda: 0.0,
            monotonic=clock.monotonic,
        )
        with reading(source, now=live_world.NOW) as program:
            program.refresh()
            with UsageLedger(program.ledger).view() as view:
                for each in view.totals(live_world.NOW - timedelta(days=2)):
                    assert 0 <= each.total < 1e30, each
