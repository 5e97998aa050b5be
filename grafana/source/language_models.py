"""Language models: by provider, model and project; tokens, cache, what is not priced, what a proxy saw."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from grafana.source import links, reasons
from grafana.source.boards import BUDGET_CROSSINGS, Choice, Section, board
from grafana.source.colours import BLUE, GREEN, ORANGE
from grafana.source.fields import COUNT, RATIO, USD, Query, Reading
from grafana.source.links import To
from grafana.source.panels import Column, Placed, listing, number, over_time, ranking

BILLED: Final = 'provider=~"$provider", project_id=~"$project_id", model=~"$model"'
USED: Final = 'provider=~"$provider", model=~"$model"'
BARS: Final = Reading(USD, 2, minimum=0)
STEP: Final = "10m"
"""Some providers tell usage by the hour, others by the minute."""


def make() -> model.Dashboard:
    """Make the board."""
    bill = "spend_llm_month_to_date_usd"
    return board(
        links.LANGUAGE_MODELS,
        "Billed money by model and project, and live usage at list prices. The two are never added.",
        [
            Choice("provider", bill, "Provider"),
            Choice("model", bill, "Model"),
            Choice("project_id", bill, "Project"),
        ],
        [
            Section("All chosen models", _totals()),
            Section("Who and what", _who()),
            Section("Use", _use()),
            Section("Prices", _prices()),
            Section("Through a proxy", _proxy()),
        ],
        events=[BUDGET_CROSSINGS],
    )


def _in_view(metric: str, by: str = "", more: str = "") -> str:
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(increase(spend_llm_{metric}_total{{{USED}{more}}}[$__range]))"


def _totals() -> list[Placed]:
    read = _in_view("tokens", more=', token_type="cache_read"')
    given = _in_view("tokens", more=', token_type=~"input|cache_read|cache_write"')
    return [
        number(
            "Billed today",
            "Net cost in the bills of today; most providers bill by the day, so it lags.",
            Query(f"sum(spend_llm_today_usd{{{BILLED}}})"),
            empty=reasons.NO_LLM,
        ),
        number(
            "Billed this month",
            "Net cost in the bills of this month; part of the total, never on top of it.",
            Query(f"sum(spend_llm_month_to_date_usd{{{BILLED}}})"),
            empty=reasons.NO_LLM,
        ),
        number(
            "Used, at list prices",
            "Live usage in the time shown, at list prices or as the log says. Not what is billed.",
            Query(_in_view("estimated_usd")),
            empty=reasons.NO_LLM,
        ),
        number(
            "A thousand tokens cost",
            "Live usage in the time shown: cost at list prices over tokens of all types.",
            Query(f"1000 * {_in_view('estimated_usd')} / ({_in_view('tokens')} > 0)"),
            empty="Nothing used in this time",
            reading=Reading(USD, 5),
        ),
        number(
            "Input read from a cache",
            "Share of the input tokens in the time shown that came from the provider's cache, for a "
            "fraction of the price.",
            Query(f"({read} or vector(0)) / ({given} > 0)"),
            empty="Nothing used in this time",
            reading=Reading(RATIO, 1, ((0, BLUE), (0.2, GREEN))),
        ),
        number(
            "Tokens without a price",
            "Tokens in the time shown of models that no price is known of. Their cost is unknown, not zero.",
            Query(_in_view("unpriced_tokens")),
            empty="None: every model has a price",
            reading=Reading(COUNT, 0, ((0, GREEN), (1, ORANGE))),
        ),
    ]


def _who() -> list[Placed]:
    month = f"spend_llm_month_to_date_usd{{{BILLED}}}"

    def narrowing(label: str, title: str) -> Placed:
        others = [name for name in ("provider", "model", "project_id") if name != label]
        return ranking(
            title,
            f"Billed net cost of this month by {label.removesuffix('_id')}; the twelve that cost most.",
            Query(f"topk(12, sum by ({label}) ({month}))", f"{{{{{label}}}}}"),
            empty=reasons.NO_LLM,
            reading=BARS,
            link=To(links.LANGUAGE_MODELS, (label,), others),
        )

    return [
        narrowing("provider", "Which providers?"),
        narrowing("model", "Which models?"),
        narrowing("project_id", "Which projects?"),
    ]


def _use() -> list[Placed]:
    def rate(metric: str, by: str) -> str:
        return f"sum by ({by}) (rate(spend_llm_{metric}_total{{{USED}}}[$__rate_interval]))"

    return [
        over_time(
            "Which models are used, in dollars per hour?",
            "Live usage at list prices by model, on top of each other.",
            Query(f"3600 * {rate('estimated_usd', 'model')}", "{{model}}"),
            empty=reasons.NO_LLM,
            link=To(links.LANGUAGE_MODELS, ("model",), ("provider", "project_id")),
            stacked=True,
            step=STEP,
        ),
        over_time(
            "Which tokens, per minute?",
            "Tokens by type; each is in one of them. Output costs most, reading from the cache least.",
            Query(f"60 * {rate('tokens', 'token_type')}", "{{token_type}}"),
            empty=reasons.NO_LLM,
            reading=Reading(COUNT, 1),
            stacked=True,
            step=STEP,
        ),
    ]


def _prices() -> list[Placed]:
    return [
        listing(
            "What does each model cost to use?",
            "Live usage in the time shown, at list prices.",
            {"provider": "Provider", "model": "Model"},
            Column("At list prices", _in_view("estimated_usd", "provider, model")),
            Column(
                "A thousand tokens",
                f"1000 * {_in_view('estimated_usd', 'provider, model')} "
                f"/ ({_in_view('tokens', 'provider, model')} > 0)",
                Reading(USD, 5),
            ),
            Column("Tokens", _in_view("tokens", "provider, model"), Reading(COUNT, 1)),
            Column("Requests", _in_view("requests", "provider, model"), Reading(COUNT, 1)),
            empty=reasons.NO_LLM,
            links={"model": To(links.LANGUAGE_MODELS, ("model",), ("provider", "project_id"))},
            size=(14, 9),
        ),
        over_time(
            "How much input comes from a cache?",
            "Share of input tokens that the provider's cache gave, by model.",
            Query(
                "sum by (model) "
                f'(rate(spend_llm_tokens_total{{{USED}, token_type="cache_read"}}[$__rate_interval]))'
                " / (sum by (model) (rate(spend_llm_tokens_total"
                f'{{{USED}, token_type=~"input|cache_read|cache_write"}}[$__rate_interval])) > 0)',
                "{{model}}",
            ),
            empty="No model read from a cache",
            reading=Reading(RATIO, 0, minimum=0, maximum=1),
            step=STEP,
            size=(10, 9),
        ),
    ]


def _proxy() -> list[Placed]:
    return [
        ranking(
            "Who used it?",
            "Cost of calls through the proxy in the time shown, by team and key, as the proxy reckons it.",
            Query(
                "topk(10, sum by (team, key_alias) "
                f"(increase(spend_llm_proxy_usd_total{{{USED}}}[$__range])))",
                "{{team}} {{key_alias}}",
            ),
            empty=reasons.NO_PROXY,
            reading=BARS,
            by_value=True,
            size=(16, 7),
        ),
        number(
            "How much of the bill can the proxy explain?",
            "What the proxy reckons over what was billed, on settled days. Less than all: calls go past it.",
            Query('spend_llm_capture_ratio{provider=~"$provider"}', "{{provider}}"),
            empty=reasons.NO_PROXY,
            reading=Reading(RATIO, 0, ((0, ORANGE), (0.8, GREEN))),
            size=(8, 7),
        ),
    ]
