"""Overview: what do we spend, how fast, on what, will it last, what changed."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import BUDGET_CROSSINGS, DEPLOYS, Choice, Section, board
from grafana.source.colours import BLUE, GREEN, ORANGE, RED
from grafana.source.fields import RATIO, SECONDS, USD, Query, Reading
from grafana.source.links import To
from grafana.source.panels import Column, Placed, listing, number, over_time, ranking

LLM_SERVICES: Final = "Vertex AI|Gemini API|OpenAI API|Claude.*|LLM API|Amazon Bedrock|Azure OpenAI.*"
"""Services that are language models, whoever bills them; all of Vertex AI counts."""

PROVIDER: Final = 'provider=~"$provider"'
LARGEST_MONTH_BUDGET: Final = (
    "and on (budget, period) topk(1, max by (budget, period) (spend_budget_limit_usd{period='month'}))"
)


def make() -> model.Dashboard:
    """Make the board."""
    return board(
        links.OVERVIEW,
        "What is spent, how fast, on what, whether it will last, and what changed. Every panel leads on.",
        [Choice("provider", "spend_nowcast_today_usd", "Provider")],
        [
            Section("What do we spend", _totals()),
            Section("How fast, and on what", _speed()),
            Section("Will it last", _lasting()),
            Section("What changed", _changes()),
            Section("Can it be less, and can this be trusted", _trust()),
        ],
        events=[BUDGET_CROSSINGS, DEPLOYS],
    )


def _totals() -> list[Placed]:
    today = f"spend_nowcast_today_usd{{{PROVIDER}"
    return [
        number(
            "Spent today",
            "Best estimate of today so far: billed, and used but not billed yet. A day is the provider's "
            "billing day.",
            Query(f"sum({today}}})"),
            empty=reasons.NO_NOWCAST,
            link=To(links.BUDGETS),
        ),
        number(
            "On what today",
            "The parts of today's total. Language models count as such whoever bills them, with all of "
            "Vertex AI.",
            Query(f'sum({today}, provider="gcp", service_name!~"{LLM_SERVICES}"}})', "Google Cloud"),
            Query(f'sum({today}, service_name=~"{LLM_SERVICES}"}})', "Language models"),
            Query(f'sum({today}, provider!="gcp", service_name!~"{LLM_SERVICES}"}})', "Other providers"),
            empty=reasons.NO_NOWCAST,
            link=To(links.LANGUAGE_MODELS, (), ("provider",)),
            size=(8, 4),
        ),
        number(
            "Per hour now",
            "The burn rate: from live usage where there is some, else from the bill. Without tax and "
            "corrections.",
            Query(f"sum(spend_burn_rate_usd_per_hour{{{PROVIDER}}})"),
            empty=reasons.NO_NOWCAST,
            link=To(links.GOOGLE_CLOUD),
        ),
        number(
            "This month so far",
            "Best estimate of the billing month so far: billed, and used but not billed yet.",
            Query(f"sum(spend_nowcast_month_to_date_usd{{{PROVIDER}}})"),
            empty=reasons.NO_NOWCAST,
            link=To(links.GOOGLE_CLOUD),
        ),
        number(
            "Left in the budget",
            "Limit less what is used, of the budget with the highest limit for a month. Red once it is "
            "spent.",
            Query(
                f"max by (budget, period) (spend_budget_remaining_usd) {LARGEST_MONTH_BUDGET}", "{{budget}}"
            ),
            empty=reasons.NO_BUDGETS,
            reading=Reading(USD, 2, ((0, RED), (0, GREEN))),
            link=To(links.BUDGETS, ("budget", "period")),
        ),
    ]


def _speed() -> list[Placed]:
    return [
        over_time(
            "Where does the money go, per hour?",
            "Burn rate by service, on top of each other. Without tax and corrections.",
            Query(f"sum by (service_name) (spend_burn_rate_usd_per_hour{{{PROVIDER}}})", "{{service_name}}"),
            empty=reasons.NO_NOWCAST,
            link=To(links.GOOGLE_CLOUD, ("service_name",)),
            stacked=True,
            size=(14, 10),
        ),
        ranking(
            "What costs most today?",
            "Today so far by service, billed and estimated; the ten that cost most.",
            Query(
                f"topk(10, sum by (service_name) (spend_nowcast_today_usd{{{PROVIDER}}}))", "{{service_name}}"
            ),
            empty=reasons.NO_NOWCAST,
            link=To(links.GOOGLE_CLOUD, ("service_name",)),
            size=(10, 10),
        ),
    ]


def _lasting() -> list[Placed]:
    def of_largest(expr: str) -> str:
        return f"max by (budget, period) ({expr}) {LARGEST_MONTH_BUDGET}"

    return [
        over_time(
            "Is the largest month budget on plan?",
            "What is used of it, its limit, and the plan: what its usual season would have used by now.",
            Query(of_largest("spend_budget_used_usd"), "Used"),
            Query(of_largest("spend_budget_expected_ratio * spend_budget_limit_usd"), "Plan", dashed=True),
            Query(of_largest("spend_budget_limit_usd"), "Limit", dashed=True),
            empty=reasons.NO_BUDGETS,
            link=To(links.BUDGETS),
        ),
        over_time(
            "What will the month cost?",
            "Forecast of the whole billing month. The band adds up each provider's 10 % and 90 % quantiles, "
            "so it is a little wider than that of the sum.",
            *(
                Query(f'sum(spend_forecast_month_end_usd{{{PROVIDER}, quantile="{quantile}"}})', legend)
                for legend, quantile in (("High", "0.9"), ("Median", "0.5"), ("Low", "0.1"))
            ),
            empty=reasons.NO_NOWCAST,
            link=To(links.BUDGETS),
            band=("High", "Low"),
        ),
    ]


def _changes() -> list[Placed]:
    def settled(days_before: int) -> str:
        return f'sum by (service_name) (spend_settled_day_usd{{{PROVIDER}, days_before="{days_before}"}})'

    moved = f"({settled(0)} - {settled(1)})"
    return [
        over_time(
            "What did each day cost?",
            "Billed net cost by service and day, over 30 days, of providers that bill by the hour.",
            Query(
                f"sum by (service_name) (sum_over_time(spend_hourly_usd{{{PROVIDER}}}[1d] offset -1d))",
                "{{service_name}}",
            ),
            empty=reasons.NO_HISTORY,
            link=To(links.GOOGLE_CLOUD, ("service_name",)),
            stacked=True,
            bars=True,
            step="1d",
            days=30,
            total=True,
            size=(24, 10),
        ),
        ranking(
            "What moved most?",
            "Change of the newest settled day from the day before, by service: the five that rose and fell "
            "most.",
            Query(f"topk(5, {moved} > 0) or bottomk(5, {moved} < 0)", "{{service_name}}"),
            empty=reasons.NO_SETTLED_DAYS,
            reading=Reading(USD, 2, ((0, GREEN), (0, ORANGE))),
            link=To(links.GOOGLE_CLOUD, ("service_name",)),
            by_value=True,
            size=(10, 8),
        ),
        listing(
            "Which alerts fire?",
            "Alerts of the exporter's rules that fire now. Prometheus has to load the rules of this "
            "repository.",
            {"alertname": "Alert", "severity": "Severity"},
            Column(
                "Firing",
                'count by (alertname, severity) (ALERTS{alertname=~"Spend.*", alertstate="firing"})',
                Reading("none", 0, ((0, ORANGE),)),
            ),
            empty="No alert fires",
            size=(14, 8),
        ),
    ]


def _trust() -> list[Placed]:
    return [
        number(
            "Can it be less, a month?",
            "What recommendations that were found would save in a mean month.",
            Query(f"sum(spend_recommendation_savings_usd_per_month{{{PROVIDER}}})"),
            empty=reasons.NO_FINDINGS,
            reading=Reading(USD, 2, ((0, GREEN),)),
            link=To(links.GOOGLE_CLOUD),
            size=(6, 4),
        ),
        number(
            "How old is the bill?",
            "Time since a provider last wrote to the bill. Bills come hours late; a day and a half is "
            "trouble.",
            Query(
                f"time() - max by (provider) (spend_export_last_timestamp_seconds{{{PROVIDER}}})",
                "{{provider}}",
            ),
            empty=reasons.NO_BILL,
            reading=Reading(SECONDS, 1, ((0, GREEN), (86400, ORANGE), (129600, RED))),
            link=To(links.EXPORTER),
            size=(6, 4),
        ),
        number(
            "How wrong are the estimates?",
            "Mean size of the error of estimates of a whole day, made at its noon, over the day's final "
            "bill.",
            Query(f'spend_nowcast_absolute_error_ratio{{{PROVIDER}, made_at="12:00"}}', "{{provider}}"),
            empty=reasons.NO_GRADES,
            reading=Reading(RATIO, 1, ((0, GREEN), (0.1, ORANGE), (0.25, RED))),
            link=To(links.EXPORTER),
            size=(6, 4),
        ),
        number(
            "How much of yesterday is still to come?",
            "Share of yesterday's final cost that has not reached the bill yet, learnt from this account's "
            "lateness.",
            Query(f'max(spend_unsettled_ratio{{{PROVIDER}, days_ago="1"}})'),
            empty=reasons.NO_GRADES,
            reading=Reading(RATIO, 0, ((0, BLUE),)),
            link=To(links.GOOGLE_CLOUD),
            size=(6, 4),
        ),
    ]
