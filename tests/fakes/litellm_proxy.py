"""A LiteLLM proxy of our own on a loopback socket: its database's daily rows, its counters, and its bad days.

Daily activity is put together from rows as LiteLLM 1.106 does it; tests/integration/test_litellm_proxy.py
holds it against the real code.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

ADMIN_KEY = "sk-admin-0123456789abcdef"
USER_KEY = "sk-user-0123456789abcdef"
NO_DATABASE = "DB not connected. This endpoint needs a database; set DATABASE_URL"


@dataclass
class Row:
    """One row of LiteLLM_DailyUserSpend."""

    date: str
    api_key: str
    model: str
    custom_llm_provider: str
    spend: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    successful_requests: int = 1
    failed_requests: int = 0


@dataclass
class Fault:
    """Answered instead, `times` times, where the path with its query matches."""

    path: str
    status: int
    body: str = ""
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class LiteLLMProxy:
    """Use as a context manager."""

    rows: list[Row] = field(default_factory=list)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    """key_alias and team_id by the hash of the key."""
    teams: dict[str, str | None] = field(default_factory=dict)
    """Alias by id."""
    metrics: str | None = None
    """The whole page; None where Prometheus is not configured."""
    database: bool = True
    largest_page: int = 1000
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    before_answer: Callable[[str], None] = lambda _path: None

    def __enter__(self) -> Self:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.requests.append(self.path)
                proxy.before_answer(self.path)
                status, content_type, body, headers = proxy.answer(
                    self.path, self.headers.get("Authorization") or ""
                )
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, path: str, authorization: str) -> tuple[int, str, str, dict[str, str]]:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.path, path):
                fault.times -= 1
                kind = "text/html" if fault.body.startswith("<") else "application/json"
                return fault.status, kind, fault.body, fault.headers
        parts = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/health/readiness":
            return _json(200, {"status": "healthy", "db": "connected" if self.database else "Not connected"})
        key = authorization.removeprefix("Bearer ")
        if key not in (ADMIN_KEY, USER_KEY):
            said = f"Authentication Error, Invalid proxy server token passed. Received API Key = {key}"
            return _json(401, {"error": {"message": said, "type": "auth_error", "code": "401"}})
        if parts.path == "/metrics/" and self.metrics is not None:
            return 200, "text/plain; version=0.0.4; charset=utf-8", self.metrics, {}
        if parts.path == "/metrics":
            return 307, "text/plain", "", {"Location": "/metrics/"}
        if parts.path in ("/user/daily/activity", "/v2/team/list") and not self.database:
            return _json(500, {"detail": {"error": NO_DATABASE}})
        if parts.path == "/user/daily/activity":
            if key == USER_KEY and asked.get("user_id", "me") != "me":
                said = "Non-admin users can only view their own spend data."
                return _json(403, {"detail": {"error": said}})
            return _json(200, self.activity(asked))
        if parts.path == "/v2/team/list":
            return _json(200, self.team_list(asked))
        return _json(404, {"detail": "Not Found"})

    def activity(self, asked: dict[str, str]) -> dict[str, Any]:
        if "user_id" in asked:
            matching = []
        else:
            matching = [
                row
                for row in self.rows
                if asked["start_date"] <= row.date <= asked["end_date"]
                and asked.get("model", row.model) == row.model
            ]
        matching.sort(key=lambda row: row.date, reverse=True)
        page, size = int(asked.get("page", 1)), min(int(asked.get("page_size", 50)), self.largest_page)
        days: dict[str, dict[str, Any]] = {}
        for row in matching[(page - 1) * size : page * size]:
            day = days.setdefault(row.date, {"date": row.date, "metrics": {}, "breakdown": _breakdown()})
            self._take(day, row)
        return {
            "results": list(days.values()),
            "metadata": {
                "total_spend": sum(day["metrics"]["spend"] for day in days.values()),
                "page": page,
                "total_pages": -(-len(matching) // size),
                "has_more": page * size < len(matching),
                "api_key_limit": None,
            },
        }

    def _take(self, day: dict[str, Any], row: Row) -> None:
        known = self.keys.get(row.api_key, {})
        metadata = {"key_alias": None, "team_id": None, "user_id": None, "key_exists": True, **known}
        _count(day["metrics"], row)
        places = [("providers", row.custom_llm_provider or "unknown")]
        places += [("models", row.model), ("model_groups", row.model)] if row.model else []
        for kind, name in places:
            entry = day["breakdown"][kind].setdefault(
                name, {"metrics": {}, "metadata": {}, "api_key_breakdown": {}}
            )
            _count(entry["metrics"], row)
            by_key = entry["api_key_breakdown"].setdefault(row.api_key, {"metrics": {}, "metadata": metadata})
            _count(by_key["metrics"], row)
        by_key = day["breakdown"]["api_keys"].setdefault(row.api_key, {"metrics": {}, "metadata": metadata})
        _count(by_key["metrics"], row)

    def team_list(self, asked: dict[str, str]) -> dict[str, Any]:
        page, size = int(asked["page"]), min(int(asked["page_size"]), self.largest_page)
        teams = [{"team_id": team, "team_alias": alias} for team, alias in self.teams.items()]
        return {
            "teams": teams[(page - 1) * size : page * size],
            "total": len(teams),
            "page": page,
            "page_size": size,
            "total_pages": -(-len(teams) // size),
        }


def _breakdown() -> dict[str, Any]:
    kinds = ("mcp_servers", "models", "model_groups", "providers", "endpoints", "api_keys", "entities")
    return {kind: {} for kind in kinds}


def _count(metrics: dict[str, Any], row: Row) -> None:
    for name, value in asdict(row).items():
        if isinstance(value, int | float):
            metrics[name] = metrics.get(name, 0) + value
    metrics["total_tokens"] = metrics["prompt_tokens"] + metrics["completion_tokens"]


def _json(status: int, content: object) -> tuple[int, str, str, dict[str, str]]:
    return status, "application/json", json.dumps(content), {}
