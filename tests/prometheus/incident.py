"""Alerts as Prometheus sends them, and the data that Alertmanager passes to its templates."""

from __future__ import annotations

import hashlib
import json
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
        """The alert as in the body of a request to /api/v2/alerts."""
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
            "fingerprint": hashlib.sha256(json.dumps(self.all_labels()).encode()).hexdigest()[:16],
        }


def template_data(
    firing: Sequence[Alert], resolved: Sequence[Alert] = (), **lasted: timedelta
) -> dict[str, Any]:
    """What the templates get. Alerts are in the order of their labels, as in Alertmanager."""
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
    "A service cost far more than usual in one hour",
    "Cloud Run (gcp): +$18.42 above normal in one hour. It cost $24.00; $5.58 is normal. "
    "Largest part: CPU Allocation Time, +$15.07.",
    {"provider": "gcp", "service_name": "Cloud Run"},
)
BURNING_FAST = Alert(
    "SpendBudgetBurningFast",
    "critical",
    "budget",
    "A budget is being spent several times faster than planned",
    "Budget shop is being spent at 7.2 times the planned rate: $60.00 in the last six hours, "
    "$9.00 of it in the last hour. $412.90 is left for the month.",
    {"budget": "shop", "period": "month"},
    dashboard="spend-budgets",
)
BURNING = Alert(
    "SpendBudgetBurning",
    "warning",
    "budget",
    "A budget is being spent faster than planned",
    "Budget shop is being spent at 3.1 times the planned rate: $103.00 in the last day. "
    "$412.90 is left for the month.",
    {"budget": "shop", "period": "month"},
    dashboard="spend-budgets",
)
HALF_USED = Alert(
    "SpendBudgetThresholdReached",
    "info",
    "budget",
    "A budget has reached a threshold",
    "Budget shop has used 51.2% of its limit for the month: $512.00 of $1,000.00, "
    "of which $500.00 is billed and $12.00 is estimated.",
    {"budget": "shop", "period": "month"},
    dashboard="spend-budgets",
)
MODEL = Alert(
    "SpendLlmModelRunningAway",
    "warning",
    "llm",
    "A language model costs far more than in any hour of the last week",
    "gpt-4o (openai) cost $31.80 in the last hour at list prices. "
    "The most expensive hour of the week before cost $9.10.",
    {"provider": "openai", "model": "gpt-4o"},
    dashboard="spend-llm",
)
KEY = Alert(
    "SpendLlmKeyRunningAway",
    "warning",
    "llm",
    "A key of the language model proxy costs far more than in any hour of the last week",
    "Key ci of team shop (openai) cost $12.40 in the last hour, according to the proxy. "
    "It was not used in the week before.",
    {"provider": "openai", "team": "shop", "key_alias": "ci"},
    dashboard="spend-llm",
)
COST_PER_REQUEST = Alert(
    "SpendCloudRunCostPerRequestUp",
    "warning",
    "efficiency",
    "A Cloud Run service costs more per request than at this hour yesterday",
    "1,000 requests to checkout (shop-prod, europe-west1) cost $0.0123; "
    "at this hour yesterday they cost $0.0068. That adds $0.22 an hour.",
    {"project_id": "shop-prod", "region_id": "europe-west1", "run_service": "checkout"},
    dashboard="spend-cloud-run",
)
BILL_STALE = Alert(
    "SpendBillStale",
    "warning",
    "trust",
    "A bill has stopped growing",
    "The bill of gcp (0A1B2C-3D4E5F-6A7B8C) has had no new charges for 1d 14h. "
    "Alerts that need the bill are muted.",
    {"provider": "gcp", "billing_account_id": "0A1B2C-3D4E5F-6A7B8C"},
    dashboard="spend-exporter",
)
EXPORTER_DOWN = Alert(
    "SpendExporterDown",
    "critical",
    "trust",
    "Spend Exporter is down",
    "Prometheus gets no metrics from the Spend Exporter at exporter:9877. "
    "Spending is not monitored, and no other spend alert can fire.",
    {"instance": "exporter:9877"},
    dashboard="spend-exporter",
)


def source_failing(source: str) -> Alert:
    return Alert(
        "SpendSourceFailing",
        "warning",
        "trust",
        "A data source cannot be read",
        f"Source {source} has not been read for 3h; its last good figures are still shown. "
        "`spend-exporter check --config config.yml` shows what is wrong.",
        {"source": source},
        dashboard="spend-exporter",
    )


def figure_failed(figure: str, severity: str) -> Alert:
    return Alert(
        "SpendFigureFailed",
        severity,
        "trust",
        "Part of the figures cannot be computed",
        f"Spend Exporter (job spend-exporter) cannot compute the figure {figure}: its series are missing or "
        "out of date. The exporter's log has the error.",
        {"figure": figure},
        dashboard="spend-exporter",
    )


INCIDENT = (SPIKE, BURNING_FAST, MODEL)
