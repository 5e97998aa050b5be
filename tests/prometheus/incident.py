"""Alerts as Prometheus sends them, and the data that Alertmanager makes of them for its templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

STARTED = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
RUNBOOKS = "https://example.com/runbooks"
GRAFANA = "http://localhost:3000"


@dataclass(frozen=True)
class Alert:
    name: str
    severity: str
    category: str
    summary: str
    description: str
    labels: dict[str, str] = field(default_factory=dict)
    dashboard: str = "spend-overview"
    runbook_url: str | None = None

    def all_labels(self) -> dict[str, str]:
        return {
            "alertname": self.name,
            "severity": self.severity,
            "category": self.category,
            "job": "spend-exporter",
            "instance": "exporter:9877",
            **self.labels,
        }

    def annotations(self) -> dict[str, str]:
        return {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": self.runbook_url or f"{RUNBOOKS}/{self.name}.md",
            "dashboard_url": f"{GRAFANA}/d/{self.dashboard}",
        }

    def posted(self, at: datetime, *, resolved: bool = False) -> dict[str, Any]:
        """The alert as the body of /api/v2/alerts has it."""
        ends = at if resolved else at + timedelta(hours=1)
        return {
            "labels": self.all_labels(),
            "annotations": self.annotations(),
            "startsAt": at.isoformat(),
            "endsAt": ends.isoformat(),
            "generatorURL": "http://localhost:9090/graph",
        }

    def in_template(
        self, *, resolved: bool = False, lasted: timedelta = timedelta(minutes=80)
    ) -> dict[str, Any]:
        return {
            "status": "resolved" if resolved else "firing",
            "labels": self.all_labels(),
            "annotations": self.annotations(),
            "startsAt": STARTED.isoformat(),
            "endsAt": (STARTED + lasted).isoformat() if resolved else "0001-01-01T00:00:00Z",
            "generatorURL": "http://localhost:9090/graph",
            "fingerprint": "0123456789abcdef",
        }


def template_data(
    firing: Sequence[Alert], resolved: Sequence[Alert] = (), **lasted: timedelta
) -> dict[str, Any]:
    """What the templates get. Alerts are in Alertmanager's order, which is that of their labels."""
    alerts = [alert.in_template() for alert in firing]
    alerts += [alert.in_template(resolved=True, **lasted) for alert in resolved]
    pairs = [set(alert["annotations"].items()) for alert in alerts]
    return {
        "receiver": "spending",
        "status": "firing" if firing else "resolved",
        "alerts": sorted(alerts, key=lambda alert: sorted(alert["labels"].items())),
        "groupLabels": {"job": "spend-exporter"},
        "commonLabels": {"job": "spend-exporter"},
        "commonAnnotations": dict(set.intersection(*pairs)),
        "externalURL": "http://localhost:9093",
    }


SPIKE = Alert(
    "SpendHourlySpike",
    "warning",
    "spike",
    "A service costs far more than at this hour of other days",
    "Cloud Run (gcp): +$18.42 in the last hour above what is normal for it. "
    "Most of it is CPU Allocation Time: +$15.07.",
    {"provider": "gcp", "service_name": "Cloud Run"},
)
BURNING_FAST = Alert(
    "SpendBudgetBurningFast",
    "critical",
    "budget",
    "A budget is burning six times faster than planned",
    "Budget shop was used 7.2 times faster than planned over six hours and still is. "
    "$412.90 of the month is left.",
    {"budget": "shop", "period": "month"},
    dashboard="spend-budgets",
)
BURNING = Alert(
    "SpendBudgetBurning",
    "warning",
    "budget",
    "A budget is burning faster than planned",
    "Budget shop was used 3.1 times faster than planned over the last days. $412.90 of the month is left.",
    {"budget": "shop", "period": "month"},
    dashboard="spend-budgets",
)
HALF_USED = Alert(
    "SpendBudgetThresholdReached",
    "info",
    "budget",
    "A budget has reached a threshold",
    "Budget shop has reached 50% of its limit for the month: $512.00 of $1000.00 is used, "
    "with what is estimated but not billed yet.",
    {"budget": "shop", "period": "month"},
    dashboard="spend-budgets",
)
MODEL = Alert(
    "SpendLlmModelRunningAway",
    "warning",
    "llm",
    "A language model costs several times more than yesterday",
    "gpt-4o (openai) costs $31.80 an hour at list prices, over three times its mean of the day before.",
    {"provider": "openai", "model": "gpt-4o"},
    dashboard="spend-llm",
)
KEY = Alert(
    "SpendLlmKeyRunningAway",
    "warning",
    "llm",
    "A key costs several times more than yesterday",
    "Key ci of team shop (openai) costs $12.40 an hour, over three times its mean of the day before.",
    {"provider": "openai", "team": "shop", "key_alias": "ci"},
    dashboard="spend-llm",
)
COST_PER_REQUEST = Alert(
    "SpendCloudRunCostPerRequestUp",
    "warning",
    "efficiency",
    "A Cloud Run service costs more per request than the day before",
    "A request to checkout (shop-prod, europe-west1) costs 80% more than the day before: "
    "$0.0123 per thousand.",
    {"project_id": "shop-prod", "region_id": "europe-west1", "run_service": "checkout"},
    dashboard="spend-cloud-run",
)
BILL_STALE = Alert(
    "SpendBillStale",
    "warning",
    "trust",
    "A bill has stopped growing",
    "The bill of gcp (0A1B2C-3D4E5F-6A7B8C) has not grown for 1d 14h 0m 0s: "
    "today's figures are estimates, and alerts on billed days wait.",
    {"provider": "gcp", "billing_account_id": "0A1B2C-3D4E5F-6A7B8C"},
    dashboard="spend-exporter",
)
EXPORTER_DOWN = Alert(
    "SpendExporterDown",
    "critical",
    "trust",
    "The exporter of spending does not answer",
    "Prometheus gets no metrics from exporter:9877: nobody watches what is spent.",
    dashboard="spend-exporter",
)


def source_failing(source: str) -> Alert:
    return Alert(
        "SpendSourceFailing",
        "warning",
        "trust",
        "A source of spending data fails",
        f"Source {source} has not been read for 3h 0m 0s; its last good figures are still shown.",
        {"source": source},
        dashboard="spend-exporter",
    )


INCIDENT = (SPIKE, BURNING_FAST, MODEL)
