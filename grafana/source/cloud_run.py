"""Cloud Run: cost and CPU per request, by service and revision, with deploys marked."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import DEPLOYS, LIVE_SINCE, Choice, Section, board
from grafana.source.charts import over_time, ranked
from grafana.source.colours import BLUE, GREEN, ORANGE
from grafana.source.fields import RATIO, SECONDS, USD, Query, Reading
from grafana.source.links import To
from grafana.source.panel_parts import Placed
from grafana.source.panels import number, ranking
from grafana.source.tables import Column, listing

CHOSEN: Final = 'project_id=~"$project_id", run_service=~"$run_service"'
STEP: Final = "5m"
"""Usage is read every minute or two; a rate over a shorter time would show the reads, not the usage."""


def make() -> model.Dashboard:
    """Make the board."""
    used = "spend_cloud_run_requests_total"
    return board(
        links.CLOUD_RUN,
        "Live cost of Cloud Run at the rates of your own bill, a few minutes old. Blue marks are deploys.",
        [Choice("project_id", used, "Project"), Choice("run_service", used, "Service")],
        [
            Section("", _totals()),
            Section("Unit cost and efficiency", _efficiency()),
            Section("Cost breakdown", _parts()),
            Section("Revisions and rates", _revisions()),
        ],
        events=[DEPLOYS],
        since=LIVE_SINCE,
    )


def _rate(metric: str, by: str = "", more: str = "") -> str:
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(rate(spend_cloud_run_{metric}_total{{{CHOSEN}{more}}}[$__rate_interval]))"


def _of_range(label: str) -> str:
    """Cost of the whole time range, the same at each of its times: to rank over the range."""
    return f"sum by ({label}) (increase(spend_cloud_run_estimated_usd_total{{{CHOSEN}}}[$__range] @ end()))"


def _totals() -> list[Placed]:
    def whole(metric: str) -> str:
        return f"sum(increase(spend_cloud_run_{metric}_total{{{CHOSEN}}}[1h]))"

    return [
        number(
            "Last hour",
            "Estimated cost of the last hour, at the rates of the bill.",
            Query(whole("estimated_usd")),
            empty=reasons.NO_LIVE_USAGE,
            link=To(links.GOOGLE_CLOUD, (), ("project_id",)),
            size=(4, 4),
        ),
        number(
            "Request cost",
            "Estimated cost of a million requests, over the last hour.",
            Query(f"1e6 * {whole('estimated_usd')} / ({whole('requests')} > 0)"),
            empty=reasons.NO_REQUESTS,
            size=(5, 4),
        ),
        number(
            "Request CPU",
            "Allocated vCPU time divided by requests, over the last hour.",
            Query(f"{whole('cpu_seconds')} / ({whole('requests')} > 0)"),
            empty=reasons.NO_REQUESTS,
            reading=Reading(SECONDS, 1),
            size=(5, 4),
        ),
        number(
            "CPU cost",
            "Estimated cost of everything that the services used, per 1,000 vCPU seconds, over the last "
            "hour.",
            Query(f"1000 * {whole('estimated_usd')} / ({whole('cpu_seconds')} > 0)"),
            empty=reasons.NO_LIVE_USAGE,
            reading=Reading(USD, 4),
            size=(5, 4),
        ),
        number(
            "Cold starts",
            "Instances started divided by requests, over the last hour. A request that starts an instance "
            "waits.",
            Query(f"{whole('cold_starts')} / ({whole('requests')} > 0)"),
            empty=reasons.NO_REQUESTS,
            reading=Reading(RATIO, 3, ((0, GREEN), (0.01, BLUE), (0.05, ORANGE))),
            size=(5, 4),
        ),
    ]


def _efficiency() -> list[Placed]:
    def gauge(
        title: str, description: str, expr: str, reading: Reading, *, logarithmic: bool = False
    ) -> Placed:
        return over_time(
            title,
            description,
            Query(f"avg by (run_service) ({expr})", "{{run_service}}"),
            empty=reasons.NO_REQUESTS,
            reading=reading,
            link=To(links.CLOUD_RUN, ("run_service",), ("project_id",)),
            logarithmic=logarithmic,
        )

    return [
        gauge(
            "Request cost by service",
            "Estimated cost of a million requests, from the last hour; the mean of all regions.",
            f"1e6 * spend_cloud_run_cost_per_request_usd{{{CHOSEN}}}",
            Reading(USD, 2),
            logarithmic=True,
        ),
        gauge(
            "Request CPU by service",
            "Allocated vCPU time per request in the last hour; the mean of all regions.",
            f"spend_cloud_run_cpu_seconds_per_request{{{CHOSEN}}}",
            Reading(SECONDS, 1),
            logarithmic=True,
        ),
        gauge(
            "CPU cost by service",
            "The whole cost of the service per 1,000 vCPU seconds. A higher cost means more memory or idle "
            "time.",
            f"1000 * spend_cloud_run_cost_per_cpu_second_usd{{{CHOSEN}}}",
            Reading(USD, 4),
        ),
        gauge(
            "Cold starts by service",
            "Instances started per request in the last hour.",
            f"spend_cloud_run_cold_start_ratio{{{CHOSEN}}}",
            Reading(RATIO, 3, minimum=0),
        ),
    ]


def _parts() -> list[Placed]:
    return [
        over_time(
            "Cost by component",
            "Estimated cost per hour of each component, stacked.",
            Query(f"3600 * {_rate('estimated_usd', 'component')}", "{{component}}"),
            empty=reasons.NO_LIVE_USAGE,
            stacked=True,
            step=STEP,
        ),
        ranked(
            "Cost by service",
            "Estimated cost per hour of each service, stacked.",
            lambda by: f"3600 * {_rate('estimated_usd', by)}",
            _of_range("run_service"),
            "run_service",
            empty=reasons.NO_LIVE_USAGE,
            link=To(links.CLOUD_RUN, ("run_service",), ("project_id",)),
            step=STEP,
            size=(12, 8),
        ),
        over_time(
            "Requests by status",
            "Requests per second, stacked by class of the HTTP status code.",
            Query(_rate("requests", "response_code_class"), "{{response_code_class}}"),
            empty=reasons.NO_LIVE_USAGE,
            reading=Reading("reqps", 0),
            stacked=True,
            step=STEP,
        ),
        ranked(
            "Cost by revision",
            "Estimated cost per hour of each revision, stacked. A deploy moves cost to a new revision.",
            lambda by: f"3600 * {_rate('estimated_usd', by)}",
            _of_range("revision"),
            "revision",
            empty=reasons.NO_LIVE_USAGE,
            step=STEP,
            size=(12, 8),
        ),
    ]


def _revisions() -> list[Placed]:
    def last_hour(metric: str) -> str:
        usage = f"spend_cloud_run_{metric}_total{{{CHOSEN}, revision!=''}}"
        return f"sum by (run_service, revision) (increase({usage}[1h]))"

    return [
        listing(
            "Revisions",
            "The last hour of each revision: its cost, that of a million requests, and the CPU time of one. "
            "Without requests there is no cost per request.",
            {"revision": "Revision", "run_service": "Service"},
            Column("Cost", last_hour("estimated_usd"), Reading(USD, 4), pixels=75),
            Column("Million requests", f"1e6 * {last_hour('estimated_usd')} / ({last_hour('requests')} > 0)"),
            Column(
                "Request CPU",
                f"{last_hour('cpu_seconds')} / ({last_hour('requests')} > 0)",
                Reading(SECONDS, 1),
            ),
            Column("Requests", last_hour("requests"), Reading("short", 1)),
            empty=reasons.NO_LIVE_USAGE,
            links={"run_service": To(links.CLOUD_RUN, ("run_service",), ("project_id",))},
            size=(16, 10),
        ),
        ranking(
            "Rates",
            "Price of a million requests, a million vCPU or GiB seconds, a GiB sent, or a million idle "
            "instance seconds; the mean of all projects. `billed` rates are learned from the bill.",
            Query(
                "avg by (component, billing_mode, basis) "
                '(spend_cloud_run_rate_usd{component!="egress", project_id=~"$project_id"} * 1e6 '
                'or spend_cloud_run_rate_usd{component="egress", project_id=~"$project_id"})',
                "{{component}} {{billing_mode}} ({{basis}})",
            ),
            empty=reasons.NO_LIVE_USAGE,
            size=(8, 10),
        ),
    ]
