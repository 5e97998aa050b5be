"""The admin APIs of OpenAI and Anthropic on a loopback socket: their reports, pages, limits and refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.web_api import Asked, Fault, Reply, WebApi

OPENAI_KEY = "sk-admin-Tq2v8XbN4mZr1Lk7HsYd0pWc"
ANTHROPIC_KEY = "sk-ant-admin01-Qe5uJ3fGx9Bo2Vh6KtMi8nRa"

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

COSTS = "/v1/organization/costs"
USAGE = "/v1/organization/usage/"
COST_REPORT = "/v1/organizations/cost_report"
MESSAGES = "/v1/organizations/usage_report/messages"

_BY_MODEL = {"project_id", "model", "user_id", "api_key_id"}
GROUPS = {
    COSTS: {"project_id", "line_item", "api_key_id"},
    f"{USAGE}completions": _BY_MODEL | {"batch", "service_tier"},
    f"{USAGE}embeddings": _BY_MODEL,
    f"{USAGE}moderations": _BY_MODEL,
    f"{USAGE}images": _BY_MODEL | {"size", "source"},
    f"{USAGE}audio_speeches": _BY_MODEL,
    f"{USAGE}audio_transcriptions": _BY_MODEL,
    f"{USAGE}vector_stores": {"project_id"},
    f"{USAGE}code_interpreter_sessions": {"project_id"},
    f"{USAGE}file_search_calls": _BY_MODEL - {"model"},
    f"{USAGE}web_search_calls": _BY_MODEL | {"context_level"},
    COST_REPORT: {"workspace_id", "description"},
    MESSAGES: {
        "model",
        "workspace_id",
        "api_key_id",
        "service_tier",
        "context_window",
        "inference_geo",
        "speed",
    },
}


@dataclass
class FakeAdminApi:
    """What was billed and used, by report and start of day or hour; served as the provider does."""

    openai: bool
    rows: dict[str, list[tuple[datetime, dict[str, Any]]]] = field(default_factory=dict)
    spend_limit: dict[str, Any] | None = None
    faults: list[Fault] = field(default_factory=list)
    """As of WebApi, before any other answer."""
    refused_groups: frozenset[str] = frozenset()
    own_key: str = ""
    """The only key that is let in; else the usual one of the provider."""
    organization: str = ""
    """Id that the API gives for the key; empty where it gives none."""

    def add(self, path: str, start: datetime, **result: Any) -> None:
        self.rows.setdefault(path, []).append((start, result))

    def serve(self) -> WebApi:
        return WebApi(self._answer, self.faults)

    @property
    def key(self) -> str:
        return self.own_key or (OPENAI_KEY if self.openai else ANTHROPIC_KEY)

    def _answer(self, asked: Asked) -> Reply:
        sent = asked.headers.get("Authorization", "") if self.openai else asked.headers.get("x-api-key", "")
        if sent.removeprefix("Bearer ").startswith("sk-proj-"):
            return self._error(403, "You have insufficient permissions for this operation.")
        if sent != (f"Bearer {self.key}" if self.openai else self.key):
            return self._error(401, f"Incorrect API key provided: {sent}")
        if not self.openai and asked.headers.get("anthropic-version") != "2023-06-01":
            return self._error(400, "anthropic-version: header is required")
        if asked.path.endswith("/spend_limit") and self.spend_limit is not None:
            return Reply(body=self.spend_limit)
        if asked.path == "/v1/organizations/me" and not self.openai and self.organization:
            return Reply(body={"id": self.organization, "type": "organization", "name": "Acme"})
        if asked.path not in GROUPS or asked.path.startswith("/v1/organizations") == self.openai:
            return self._error(404, "Not found")
        return self._report(asked)

    def _report(self, asked: Asked) -> Reply:
        since_name, until_name = ("start_time", "end_time") if self.openai else ("starting_at", "ending_at")
        groups = asked.query.get("group_by" if self.openai else "group_by[]", [])
        if not set(groups) <= GROUPS[asked.path] - self.refused_groups:
            return self._error(400, f"Invalid group_by: {groups}")
        if "speed" in groups and asked.headers.get("anthropic-beta") != "fast-mode-2026-02-01":
            return self._error(400, "Grouping by speed requires the fast-mode-2026-02-01 beta header.")
        daily = asked.one("bucket_width") == "1d"
        if not daily and "cost" in asked.path:
            return self._error(400, "bucket_width must be 1d")
        most = 168 if not daily else 180 if asked.path == COSTS else 31
        limit = int(asked.one("limit", "7"))
        if not 1 <= limit <= most:
            return self._error(400, f"limit must be between 1 and {most}")
        since, until = self._moment(asked.one(since_name)), self._moment(asked.one(until_name))
        width = DAY if daily else HOUR
        first = int(asked.one("page", "page_0").removeprefix("page_"))
        starts = [since + number * width for number in range((until - since) // width)]
        data = [
            {
                **({"object": "bucket"} if self.openai else {}),
                since_name: self._written(start),
                until_name: self._written(start + width),
                "results": self._results(asked.path, start, width, groups),
            }
            for start in starts[first : first + limit]
        ]
        more = first + limit < len(starts)
        return Reply(
            body={
                "object": "page",
                "data": data,
                "has_more": more,
                "next_page": f"page_{first + limit}" if more else None,
            },
            headers={"openai-organization": self.organization} if self.openai and self.organization else {},
        )

    def _results(
        self, path: str, start: datetime, width: timedelta, groups: list[str]
    ) -> list[dict[str, Any]]:
        told = set(groups)
        if "description" in told:
            told |= {"model", "token_type", "cost_type", "service_tier", "context_window"}
        return [
            {
                name: None if name in GROUPS[path] and name not in told else value
                for name, value in {**dict.fromkeys(GROUPS[path]), **row}.items()
            }
            for moment, row in self.rows.get(path, [])
            if start <= moment < start + width
        ]

    def _moment(self, value: str) -> datetime:
        return datetime.fromtimestamp(int(value), UTC) if self.openai else datetime.fromisoformat(value)

    def _written(self, moment: datetime) -> int | str:
        return int(moment.timestamp()) if self.openai else moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _error(self, status: int, message: str) -> Reply:
        kind = {"type": "invalid_request_error", "message": message, "param": None, "code": None}
        return Reply(status, {"error": kind} if self.openai else {"type": "error", "error": kind})


def edited(path: str, change: Callable[[dict[str, Any]], None], api: FakeAdminApi) -> WebApi:
    """The API, each of whose pages at `path` is changed before it is sent."""

    def answer(asked: Asked) -> Reply:
        reply = api._answer(asked)
        if path in asked.path and reply.status == 200 and isinstance(reply.body, dict):
            change(reply.body)
        return reply

    return WebApi(answer, api.faults)
