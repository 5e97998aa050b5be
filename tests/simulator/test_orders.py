"""The demo's shop takes orders that look like those of a shop, and its Prometheus answers like one."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.simulator.json_server import serving_json
from exporter.simulator.orders import Orders
from exporter.simulator.prometheus_api import ORDERS_QUERY, PrometheusApi

BEGAN = datetime(2026, 10, 12, 3, 20, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def test_parts_of_a_time_add_up_and_a_seed_is_a_company() -> None:
    orders, same, other = Orders(1, BEGAN), Orders(1, BEGAN), Orders(2, BEGAN)
    end = datetime(2026, 11, 10, 8, 0, 17, tzinfo=UTC)
    thirds = [orders.taken(end - number * DAY / 3, DAY / 3) for number in range(3)]
    assert sum(thirds) == orders.taken(end, DAY) == same.taken(end, DAY) != other.taken(end, DAY)
    assert orders.taken(BEGAN, DAY) == 0


def test_nights_and_weekends_are_quieter_and_each_day_has_thousands() -> None:
    orders = Orders(1, BEGAN)
    sunday, tuesday = datetime(2026, 11, 9, 8, tzinfo=UTC), datetime(2026, 11, 11, 8, tzinfo=UTC)
    assert 4000 < orders.taken(sunday, DAY) < orders.taken(tuesday, DAY) < 15_000
    # 03:00 and 18:00 in Los Angeles.
    night, evening = tuesday - 20 * HOUR, tuesday - 5 * HOUR
    assert 2 * orders.taken(night, HOUR) < orders.taken(evening, HOUR)


def get(address: str, path: str, **query: object) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"{address}{path}?{urllib.parse.urlencode(query)}") as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_api_has_the_orders_of_each_day() -> None:
    orders = Orders(1, BEGAN)
    at = datetime(2026, 11, 10, 8, tzinfo=UTC)
    with serving_json(PrometheusApi(orders)) as address:
        now = get(address, "/api/v1/query", query=ORDERS_QUERY, time=at.timestamp())
        days = get(
            address,
            "/api/v1/query_range",
            query=ORDERS_QUERY,
            start=(BEGAN - 2 * DAY).timestamp(),
            end=(BEGAN + 2 * DAY).timestamp(),
            step=86400,
        )
        early = get(address, "/api/v1/query", query=ORDERS_QUERY, time=BEGAN.timestamp())
    [element] = now[1]["data"]["result"]
    assert element["value"] == [at.timestamp(), str(orders.taken(at, DAY))]
    [series] = days[1]["data"]["result"]
    assert [value[0] for value in series["values"]] == [(BEGAN + day * DAY).timestamp() for day in (1, 2)]
    assert early == (200, {"status": "success", "data": {"resultType": "vector", "result": []}})


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/api/v1/query", {"query": "up", "time": 0}, 400),
        ("/api/v1/query", {"query": ORDERS_QUERY}, 400),
        ("/api/v1/query", {"query": ORDERS_QUERY, "time": "nan"}, 400),
        ("/api/v1/query_range", {"query": ORDERS_QUERY, "start": 0, "end": 9e9, "step": 60}, 400),
        ("/api/v1/query_range", {"query": ORDERS_QUERY, "start": 0, "end": 1, "step": 0}, 400),
        ("/api/v1/labels", {}, 404),
    ],
)
def test_what_it_does_not_know_is_refused_as_prometheus_does(
    path: str, query: dict[str, object], status: int
) -> None:
    with serving_json(PrometheusApi(Orders(1, BEGAN))) as address:
        found, body = get(address, path, **query)
    assert found == status
    assert body["status"] == "error"
    assert body["errorType"]
