"""Overview, below the first screen: what changed, services, burn rate, alerts, savings and data quality."""

from __future__ import annotations

from functools import partial
from typing import Final

from grafana.source import history, links, reasons
from grafana.source.breakdown import costs_of
from grafana.source.colours import GREEN, ORANGE, RED
from grafana.source.fields import DOLLARS, RATIO, SECONDS, Query, Reading
from grafana.source.links import BOARD, To, by_board
from grafana.source.panel_parts import Placed
from grafana.source.panels import number, ranking
from grafana.source.tables import Column, listing, movers

PROVIDER: Final = 'provider=~"$provider"'
DAYS: Final = f"spend_daily_usd{{{PROVIDER}}}"
BY: Final = "provider, service_name"
BY_PROVIDER: Final = To(BOARD, ("provider", "service_name"))


def changes() -> list[Placed]:
    """What moved beside what each service costs."""
    moved = history.change_of_week(DAYS, BY)
    return [
        movers(
            "Movers, week on week",
            "Change of the last seven full days against the seven days before: the six largest increases and "
            "decreases.",
            "service_name",
            by_board(f"(topk(6, {moved} > 0) or bottomk(6, {moved} < 0))"),
            empty=reasons.NO_HISTORY,
            link=BY_PROVIDER,
            size=(9, 12),
        ),
        costs_of(
            "Services",
            DAYS,
            {"service_name": "Service", "provider": "Provider"},
            f"sum by ({BY}) (spend_nowcast_month_to_date_usd{{{PROVIDER}}})",
            said="Billed and estimated cost",
            empty=reasons.NO_NOWCAST,
            shown=by_board,
            link=BY_PROVIDER,
            size=(15, 12),
        ),
    ]


def now() -> list[Placed]:
    """The pace at the end of the range."""
    return [
        ranking(
            "Burn rate by service",
            "Cost per hour at the end of the time range, the ten highest: from live usage if there is any, "
            "otherwise from the bill. Without tax and corrections.",
            Query(
                by_board(f"topk(10, sum by ({BY}) (spend_burn_rate_usd_per_hour{{{PROVIDER}}}))"),
                "{{service_name}}",
            ),
            empty=reasons.NO_NOWCAST,
            link=BY_PROVIDER,
            size=(12, 9),
        ),
        listing(
            "Firing alerts",
            "Spend alerts that fire at the end of the time range. Prometheus must load the rules in "
            "prometheus/rules.",
            {"alertname": "Alert", "severity": "Severity"},
            Column(
                "Firing",
                'count by (alertname, severity) (ALERTS{alertname=~"Spend.*", alertstate="firing"})',
                Reading("none", 0, ((0, ORANGE),)),
            ),
            empty="No alerts are firing",
            size=(12, 9),
        ),
    ]


def trust() -> list[Placed]:
    """Today, what could be saved, and how far the figures can be trusted."""
    figure = partial(number, size=(6, 4))
    return [
        figure(
            "Today, USD",
            "Best estimate for the billing day so far: billed cost plus usage that is not billed yet.",
            Query(f"sum(spend_nowcast_today_usd{{{PROVIDER}}})"),
            empty=reasons.NO_NOWCAST,
            reading=DOLLARS,
            link=To(links.BUDGETS),
        ),
        figure(
            "Savings, USD",
            "Savings from all current recommendations together, in an average month.",
            Query(f"sum(spend_recommendation_savings_usd_per_month{{{PROVIDER}}})"),
            empty=reasons.NO_FINDINGS,
            reading=DOLLARS,
            link=To(links.GOOGLE_CLOUD),
        ),
        figure(
            "Bill age",
            "Time since the provider whose bill is oldest last added to it. Some hours are normal; more than "
            "a day and a half is a problem.",
            Query(
                f"time() - min(max by (provider) (spend_export_last_timestamp_seconds{{{PROVIDER}}}))",
            ),
            empty=reasons.NO_BILL,
            reading=Reading(SECONDS, 1, ((0, GREEN), (86400, ORANGE), (129600, RED))),
            link=To(links.EXPORTER),
        ),
        figure(
            "Estimate error",
            "Mean absolute error of a whole day's estimate, made at noon, as a share of the day's final "
            "bill, of the provider with the largest.",
            Query(f'max(spend_nowcast_absolute_error_ratio{{{PROVIDER}, made_at="12:00"}})'),
            empty=reasons.NO_GRADES,
            reading=Reading(RATIO, 1, ((0, GREEN), (0.1, ORANGE), (0.25, RED))),
            link=To(links.EXPORTER),
        ),
    ]
