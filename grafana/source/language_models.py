"""Language models: cost by provider, model and project; tokens, caches, unpriced usage, the proxy."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import history, links, reasons
from grafana.source.boards import BUDGET_CROSSINGS, Choice, Section, board
from grafana.source.charts import by_day, over_time, ranked
from grafana.source.colours import BLUE, GREEN, ORANGE
from grafana.source.fields import COUNT, DOLLARS, RATIO, USD, WHOLE_USD, Query, Reading
from grafana.source.links import To
from grafana.source.panel_parts import Placed
from grafana.source.panels import number, ranking
from grafana.source.tables import Column, listing

BILLED: Final = 'provider=~"$provider", project_id=~"$project_id", model=~"$model"'
USED: Final = 'provider=~"$provider", model=~"$model"'
MONTH: Final = f"spend_llm_month_to_date_usd{{{BILLED}}}"
DAYS: Final = f"spend_llm_daily_usd{{{BILLED}}}"
BARS: Final = Reading(WHOLE_USD, 0, minimum=0)
STEP: Final = "10m"
"""Some providers report usage by the hour, others by the minute."""


def make() -> model.Dashboard:
    """Make the board."""
    bill = "spend_llm_month_to_date_usd"
    return board(
        links.LANGUAGE_MODELS,
        "Billed cost by model and project, and live usage at list prices. The two are never added up.",
        [
            Choice("provider", bill, "Provider"),
            Choice("model", bill, "Model"),
            Choice("project_id", bill, "Project"),
        ],
        [
            Section("", [*_totals(), *_days()]),
            Section("Cost breakdown", _who()),
            Section("Usage", _use()),
            Section("Unit costs and caches", _prices()),
            Section("Proxy", _proxy()),
        ],
        events=[BUDGET_CROSSINGS],
    )


def _in_view(metric: str, by: str = "", more: str = "") -> str:
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(increase(spend_llm_{metric}_total{{{USED}{more}}}[$__range]))"


def _priced() -> tuple[str, str]:
    """Cost at list prices and the tokens that it is for, by provider and model.

    Models without an estimate, and tokens without a price, are in neither: a mean over tokens that cost
    nothing because nobody knows their price would be too low.
    """
    usd, tokens, unpriced = (
        _in_view(metric, "provider, model") for metric in ("estimated_usd", "tokens", "unpriced_tokens")
    )
    priced = f"((({tokens} - {unpriced}) or {tokens}) > 0) and {usd}"
    return f"({usd} and ({priced}))", f"({priced})"


def _totals() -> list[Placed]:
    cost, priced = _priced()
    read = _in_view("tokens", more=', token_type="cache_read"')
    given = _in_view("tokens", more=', token_type=~"input|cache_read|cache_write"')
    return [
        number(
            "Month, USD",
            "Billed net cost of the month in which the time range ends. It is part of the total spend, not "
            "additional to it.",
            Query(history.now_or_history(f"sum({MONTH})", history.month_so_far(DAYS))),
            empty=reasons.NO_LLM,
            reading=DOLLARS,
            size=(5, 4),
        ),
        number(
            "Today, USD",
            "Billed net cost of today. Most providers bill by the day, so it is late.",
            Query(f"sum(spend_llm_today_usd{{{BILLED}}})"),
            empty=reasons.NO_LLM,
            reading=DOLLARS,
            size=(5, 4),
        ),
        number(
            "List price, USD",
            "Live usage in the time range, at list prices or at the cost in the usage log. Not the billed "
            "cost.",
            Query(_in_view("estimated_usd")),
            empty=reasons.NO_LLM,
            reading=DOLLARS,
            size=(5, 4),
        ),
        number(
            "Token cost",
            "Live usage in the time range: cost at list prices of 1,000 tokens of all types. Tokens that "
            "have no known price are left out.",
            Query(f"1000 * sum({cost}) / sum({priced})"),
            empty="No usage with a price in this time range",
            reading=Reading(USD, 5),
            size=(5, 4),
        ),
        number(
            "Cache hits",
            "Share of input tokens in the time range that came from the provider's cache, which costs much "
            "less.",
            Query(f"({read} or vector(0)) / ({given} > 0)"),
            empty="No usage in this time range",
            reading=Reading(RATIO, 1, ((0, BLUE), (0.2, GREEN))),
            size=(4, 4),
        ),
    ]


def _days() -> list[Placed]:
    return [
        by_day(
            "Billed net cost of each billing day, by model.",
            DAYS,
            "model",
            link=_narrowing("model"),
            size=(24, 11),
        )
    ]


def _narrowing(label: str) -> To:
    """A click on a value of the label filters this board by it."""
    others = [name for name in ("provider", "model", "project_id") if name != label]
    return To(links.LANGUAGE_MODELS, (label,), others)


def _who() -> list[Placed]:
    def narrowing(label: str, title: str) -> Placed:
        cost = history.now_or_history(f"sum by ({label}) ({MONTH})", history.month_so_far(DAYS, label))
        return ranking(
            title,
            "Billed net cost of the month in which the time range ends, USD, by "
            f"{label.removesuffix('_id')}, the twelve highest.",
            Query(f"topk(12, {cost})", f"{{{{{label}}}}}"),
            empty=reasons.NO_LLM,
            reading=BARS,
            link=_narrowing(label),
        )

    return [
        narrowing("provider", "Cost by provider"),
        narrowing("model", "Cost by model"),
        narrowing("project_id", "Cost by project"),
    ]


def _use() -> list[Placed]:
    def rate(metric: str, by: str) -> str:
        return f"sum by ({by}) (rate(spend_llm_{metric}_total{{{USED}}}[$__rate_interval]))"

    return [
        ranked(
            "Usage cost by model",
            "Live usage per hour at list prices, stacked by model.",
            lambda by: f"3600 * {rate('estimated_usd', by)}",
            f"sum by (model) (increase(spend_llm_estimated_usd_total{{{USED}}}[$__range] @ end()))",
            "model",
            empty=reasons.NO_LLM,
            link=_narrowing("model"),
            step=STEP,
            size=(12, 8),
        ),
        over_time(
            "Tokens by type",
            "Tokens per minute; each has one type. Output tokens cost the most, tokens read from a cache the "
            "least.",
            Query(f"60 * {rate('tokens', 'token_type')}", "{{token_type}}"),
            empty=reasons.NO_LLM,
            reading=Reading(COUNT, 1),
            stacked=True,
            step=STEP,
            size=(8, 8),
        ),
        number(
            "Unpriced",
            "Tokens in the time range of models without a known price. Their cost is unknown, not zero.",
            Query(_in_view("unpriced_tokens")),
            empty="Every model has a price",
            reading=Reading(COUNT, 0, ((0, GREEN), (1, ORANGE))),
            size=(4, 8),
        ),
    ]


def _prices() -> list[Placed]:
    cost, priced = _priced()
    return [
        listing(
            "Unit cost by model",
            "Live usage in the time range, at list prices.",
            {"model": "Model", "provider": "Provider"},
            Column("At list prices", _in_view("estimated_usd", "provider, model")),
            Column(
                "Per 1,000 tokens",
                f"1000 * {cost} / {priced}",
                Reading(USD, 5),
            ),
            Column("Tokens", _in_view("tokens", "provider, model"), Reading(COUNT, 1), pixels=75),
            Column("Requests", _in_view("requests", "provider, model"), Reading(COUNT, 1), pixels=80),
            empty=reasons.NO_LLM,
            links={"model": To(links.LANGUAGE_MODELS, ("model",), ("provider", "project_id"))},
            size=(14, 9),
        ),
        over_time(
            "Cache share by model",
            "Share of input tokens that came from the provider's cache.",
            Query(
                "sum by (model) "
                f'(rate(spend_llm_tokens_total{{{USED}, token_type="cache_read"}}[$__rate_interval]))'
                " / (sum by (model) (rate(spend_llm_tokens_total"
                f'{{{USED}, token_type=~"input|cache_read|cache_write"}}[$__rate_interval])) > 0)',
                "{{model}}",
            ),
            empty="No model used a cache",
            reading=Reading(RATIO, 0, minimum=0, maximum=1),
            step=STEP,
            size=(10, 9),
        ),
    ]


def _proxy() -> list[Placed]:
    return [
        ranking(
            "Proxy cost by key",
            "Cost of calls through the proxy in the time range, USD, as calculated by the proxy.",
            Query(
                "topk(10, sum by (team, key_alias) "
                f"(increase(spend_llm_proxy_usd_total{{{USED}}}[$__range])))",
                "{{team}} {{key_alias}}",
            ),
            empty=reasons.NO_PROXY,
            reading=BARS,
            size=(16, 7),
        ),
        number(
            "Proxy coverage",
            "The proxy's own cost divided by the billed cost, on settled days. Below 100 %, some calls "
            "bypass the proxy.",
            Query('spend_llm_capture_ratio{provider=~"$provider"}', "{{provider}}"),
            empty=reasons.NO_PROXY,
            reading=Reading(RATIO, 0, ((0, ORANGE), (0.8, GREEN))),
            size=(8, 7),
        ),
    ]
