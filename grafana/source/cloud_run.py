"""Cloud Run: what a request costs and needs, by service and revision, with deploys marked."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import DEPLOYS, Choice, Section, board
from grafana.source.colours import BLUE, GREEN, ORANGE
from grafana.source.fields import RATIO, SECONDS, USD, Query, Reading
from grafana.source.links import To
from grafana.source.panels import Column, Placed, listing, number, over_time, ranking

CHOSEN: Final = 'project_id=~"$project_id", run_service=~"$run_service"'
STEP: Final = "5m"
"""Usage is read every minute or two: a rate over less shows the reading, not the usage."""


def make() -> model.Dashboard:
    """Make the board."""
    used = "spend_cloud_run_requests_total"
    return board(
        links.CLOUD_RUN,
        "Live cost of Cloud Run, priced at the bill's own rates within minutes. Blue marks are deploys.",
        [Choice("project_id", used, "Project"), Choice("run_service", used, "Service")],
        [
            Section("All chosen services", _totals()),
            Section("What does a request cost", _efficiency()),
            Section("What is it made of", _parts()),
            Section("Revisions and rates", _revisions()),
        ],
        events=[DEPLOYS],
    )


def _rate(metric: str, by: str = "", more: str = "") -> str:
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(rate(spend_cloud_run_{metric}_total{{{CHOSEN}{more}}}[$__rate_interval]))"


def _totals() -> list[Placed]:
    def whole(metric: str) -> str:
        return f"sum(increase(spend_cloud_run_{metric}_total{{{CHOSEN}}}[1h]))"

    return [
        number(
            "Per hour now",
            "Estimated cost of the last hour, at the rates that the bill shows.",
            Query(whole("estimated_usd")),
            empty=reasons.NO_LIVE_USAGE,
            link=To(links.GOOGLE_CLOUD, (), ("project_id",)),
            size=(4, 4),
        ),
        number(
            "A million requests cost",
            "Estimated cost over requests of the last hour.",
            Query(f"1e6 * {whole('estimated_usd')} / ({whole('requests')} > 0)"),
            empty=reasons.NO_REQUESTS,
            size=(5, 4),
        ),
        number(
            "CPU time of a request",
            "vCPU time allocated over requests of the last hour.",
            Query(f"{whole('cpu_seconds')} / ({whole('requests')} > 0)"),
            empty=reasons.NO_REQUESTS,
            reading=Reading(SECONDS, 1),
            size=(5, 4),
        ),
        number(
            "A thousand CPU seconds cost",
            "Estimated cost of everything that the services used, over vCPU seconds of the last hour.",
            Query(f"1000 * {whole('estimated_usd')} / ({whole('cpu_seconds')} > 0)"),
            empty=reasons.NO_LIVE_USAGE,
            reading=Reading(USD, 4),
            size=(5, 4),
        ),
        number(
            "Requests that start an instance",
            "Instances started over requests of the last hour. Each such request waits.",
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
            "What do a million requests cost?",
            "Estimated cost of a request over the trailing hour, times a million; the mean over regions.",
            f"1e6 * spend_cloud_run_cost_per_request_usd{{{CHOSEN}}}",
            Reading(USD, 2),
            logarithmic=True,
        ),
        gauge(
            "How much CPU does a request need?",
            "vCPU time allocated for a request over the trailing hour; the mean over regions.",
            f"spend_cloud_run_cpu_seconds_per_request{{{CHOSEN}}}",
            Reading(SECONDS, 1),
            logarithmic=True,
        ),
        gauge(
            "What do a thousand CPU seconds cost?",
            "Everything that the service costs for each vCPU second, times 1,000. More: memory or idling.",
            f"1000 * spend_cloud_run_cost_per_cpu_second_usd{{{CHOSEN}}}",
            Reading(USD, 4),
        ),
        gauge(
            "How many requests wait for an instance?",
            "Instances started for each request over the trailing hour.",
            f"spend_cloud_run_cold_start_ratio{{{CHOSEN}}}",
            Reading(RATIO, 3, minimum=0),
        ),
    ]


def _parts() -> list[Placed]:
    return [
        over_time(
            "What does the money pay for, per hour?",
            "Estimated cost by component, on top of each other.",
            Query(f"3600 * {_rate('estimated_usd', 'component')}", "{{component}}"),
            empty=reasons.NO_LIVE_USAGE,
            stacked=True,
            step=STEP,
        ),
        over_time(
            "Which services, per hour?",
            "Estimated cost by service, on top of each other.",
            Query(f"3600 * {_rate('estimated_usd', 'run_service')}", "{{run_service}}"),
            empty=reasons.NO_LIVE_USAGE,
            link=To(links.CLOUD_RUN, ("run_service",), ("project_id",)),
            stacked=True,
            step=STEP,
        ),
        over_time(
            "How many requests, and how do they end?",
            "Requests per second by class of the response.",
            Query(_rate("requests", "response_code_class"), "{{response_code_class}}"),
            empty=reasons.NO_LIVE_USAGE,
            reading=Reading("reqps", 0),
            stacked=True,
            step=STEP,
        ),
        over_time(
            "Which revisions cost, per hour?",
            "Estimated cost by revision: a deploy hands over from one to the next.",
            Query(f"3600 * {_rate('estimated_usd', 'revision')}", "{{revision}}"),
            empty=reasons.NO_LIVE_USAGE,
            stacked=True,
            step=STEP,
        ),
    ]


def _revisions() -> list[Placed]:
    def last_hour(metric: str) -> str:
        usage = f"spend_cloud_run_{metric}_total{{{CHOSEN}, revision!=''}}"
        return f"sum by (run_service, revision) (increase({usage}[1h]))"

    return [
        listing(
            "Did a revision become dearer?",
            "The last hour by revision. Revisions without requests have no cost per request.",
            {"run_service": "Service", "revision": "Revision"},
            Column("Cost", last_hour("estimated_usd"), Reading(USD, 4)),
            Column(
                "A million requests", f"1e6 * {last_hour('estimated_usd')} / ({last_hour('requests')} > 0)"
            ),
            Column(
                "CPU time of a request",
                f"{last_hour('cpu_seconds')} / ({last_hour('requests')} > 0)",
                Reading(SECONDS, 1),
            ),
            Column("Requests", last_hour("requests"), Reading("short", 1)),
            empty=reasons.NO_LIVE_USAGE,
            links={"run_service": To(links.CLOUD_RUN, ("run_service",), ("project_id",))},
            size=(16, 10),
        ),
        ranking(
            "At which rates is it priced?",
            "Mean over projects of a million requests, a million vCPU or GiB seconds, a GiB sent, a million "
            "idle instance seconds; `billed` is learnt from the bill.",
            Query(
                "avg by (component, basis) "
                '(spend_cloud_run_rate_usd{component!="egress", project_id=~"$project_id"} * 1e6 '
                'or spend_cloud_run_rate_usd{component="egress", project_id=~"$project_id"})',
                "{{component}} ({{basis}})",
            ),
            empty=reasons.NO_LIVE_USAGE,
            by_value=True,
            size=(8, 10),
        ),
    ]
