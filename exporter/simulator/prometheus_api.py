"""The query API of the demo company's own Prometheus: it counts the shop's orders, and knows one query.

Answers have the shape of Prometheus' HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from exporter.simulator.orders import Orders

ORDERS_QUERY: Final = "sum(increase(shop_orders_total[1d]))"
"""The one query that it knows."""

_RANGE: Final = timedelta(days=1)
_MOST_POINTS: Final = 11_000
"""As Prometheus limits the points of a series."""


class PrometheusApi:
    """The API, apart from the sockets."""

    content_type = "application/json"

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def answer(self, path: str, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Answer a GET: HTTP status and JSON body."""
        if path not in ("/api/v1/query", "/api/v1/query_range"):
            return HTTPStatus.NOT_FOUND, _error("not_found", f"no such endpoint: {path}")
        if query.get("query") != [ORDERS_QUERY]:
            return HTTPStatus.BAD_REQUEST, _error("bad_data", f"this server only knows {ORDERS_QUERY}")
        return self._instant(query) if path.endswith("query") else self._range(query)

    def _instant(self, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        asked = _numbers(query, "time")
        if asked is None:
            return HTTPStatus.BAD_REQUEST, _error("bad_data", "time is a Unix time")
        found = self._at(asked[0])
        return HTTPStatus.OK, _success("vector", [{"metric": {}, "value": found}] if found else [])

    def _range(self, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        asked = _numbers(query, "start", "end", "step")
        if asked is None or asked[2] <= 0 or (asked[1] - asked[0]) / asked[2] > _MOST_POINTS:
            text = f"start and end are Unix times, step is in seconds, at most {_MOST_POINTS} points"
            return HTTPStatus.BAD_REQUEST, _error("bad_data", text)
        start, end, step = asked
        times = [start + number * step for number in range(int((end - start) // step) + 1)]
        values = [value for at in times if (value := self._at(at))]
        return HTTPStatus.OK, _success("matrix", [{"metric": {}, "values": values}] if values else [])

    def _at(self, unix_seconds: float) -> list[object] | None:
        """The value at a time; None before the counter existed."""
        at = datetime.fromtimestamp(unix_seconds, UTC)
        return [unix_seconds, str(self._orders.taken(at, _RANGE))] if at > self._orders.start else None


def _numbers(query: Mapping[str, list[str]], *names: str) -> list[float] | None:
    try:
        found = [float(query[name][0]) for name in names]
    except (KeyError, ValueError):
        return None
    return found if all(map(math.isfinite, found)) else None


def _success(kind: str, result: object) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


def _error(kind: str, text: str) -> dict[str, Any]:
    return {"status": "error", "errorType": kind, "error": text}
