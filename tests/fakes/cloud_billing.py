"""Cloud Billing's budgets and the numbers of projects, as a JSON API of our own on a loopback socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fakes.web_api import Asked, Reply, WebApi

ACCOUNT = "01AB23-4C5D67-89EF01"
TOKEN = "ya29.a-token-that-nobody-may-see"


@dataclass
class FakeCloudBilling:
    """One billing account; answers in pages of two."""

    budgets: list[dict[str, Any]] = field(default_factory=list)
    project_ids: dict[str, str] = field(default_factory=lambda: {"123": "shop-prod"})
    page: int = 2

    def add(self, name: str, units: str | None = "100", **changes: Any) -> None:
        """A budget of so many dollars a month, or (None) of what the month before was."""
        limit: dict[str, Any] = {"specifiedAmount": {"currencyCode": "USD", "units": units}}
        self.budgets.append(
            {
                "name": f"billingAccounts/{ACCOUNT}/budgets/id-{len(self.budgets)}",
                "displayName": name,
                "budgetFilter": {"calendarPeriod": "MONTH", "creditTypesTreatment": "INCLUDE_ALL_CREDITS"},
                "amount": limit if units else {"lastPeriodAmount": {}},
                "thresholdRules": [{"thresholdPercent": 0.5, "spendBasis": "CURRENT_SPEND"}],
                "etag": "abc",
                **changes,
            }
        )

    def serve(self) -> WebApi:
        """Return the server, to be used as a context manager."""
        return WebApi(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error(401, "Request had invalid authentication credentials.")
        if asked.path == f"/v1/billingAccounts/{ACCOUNT}/budgets":
            begin = int(asked.one("pageToken", "0"))
            body: dict[str, Any] = {"budgets": self.budgets[begin : begin + self.page]}
            if begin + self.page < len(self.budgets):
                body["nextPageToken"] = str(begin + self.page)
            return Reply(body=body if self.budgets else {})
        number = asked.path.removeprefix("/v3/projects/")
        if number in self.project_ids:
            return Reply(body={"name": f"projects/{number}", "projectId": self.project_ids[number]})
        return _error(403, f"The caller does not have permission on {asked.path}")


def _error(status: int, message: str) -> Reply:
    return Reply(status, {"error": {"code": status, "message": message}})
