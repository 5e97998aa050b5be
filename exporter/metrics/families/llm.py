"""Metrics of language models: tokens, billed and estimated cost, and the proxy's view."""

from __future__ import annotations

from typing import Final

from exporter.metrics.families.declaration import counter, gauge

_MODEL: Final = ("provider", "model")
_BILLED_MODEL: Final = ("provider", "project_id", "model")
_PROXY: Final = ("provider", "team", "key_alias", "model")

SPEND_LLM_TOKENS_TOTAL = counter(
    "spend_llm_tokens_total",
    (*_MODEL, "token_type"),
    "Tokens used, by type: input, cache_read, cache_write or output. Each token has exactly one type.",
)
SPEND_LLM_REQUESTS_TOTAL = counter(
    "spend_llm_requests_total",
    _MODEL,
    "Requests to language models, where the provider or the log reports them.",
)
SPEND_LLM_ESTIMATED_USD_TOTAL = counter(
    "spend_llm_estimated_usd_total",
    _MODEL,
    "Estimated cost of usage at list prices, or as logged; not what was billed.",
    "usd",
)
SPEND_LLM_UNPRICED_TOKENS_TOTAL = counter(
    "spend_llm_unpriced_tokens_total",
    _MODEL,
    "Tokens without a known price: of an unknown model, service tier or kind. Their cost is unknown, not 0.",
)
SPEND_LLM_UNPRICED_FEES_TOTAL = counter(
    "spend_llm_unpriced_fees_total",
    (*_MODEL, "fee"),
    "Web searches, images and other things that cost a fee beside tokens. Their cost is in no estimate.",
)
SPEND_LLM_TODAY_USD = gauge(
    "spend_llm_today_usd",
    _BILLED_MODEL,
    "Billed net cost of language models today; a part of spend_today_usd, not in addition to it.",
    "usd",
)
SPEND_LLM_MONTH_TO_DATE_USD = gauge(
    "spend_llm_month_to_date_usd",
    _BILLED_MODEL,
    "Billed net cost of language models this month; a part of spend_month_to_date_usd, not in addition to "
    "it.",
    "usd",
)
SPEND_LLM_DAILY_USD = gauge(
    "spend_llm_daily_usd",
    _BILLED_MODEL,
    "Billed net cost of language models on one billing day, with the time of spend_daily_usd and a part of "
    "it. `other` is the sum of all but the day's 100 most expensive pairs of project and model. It comes "
    "from backfill or remote write and is never scraped.",
    "usd",
)
SPEND_LLM_PROXY_USD_TOTAL = counter(
    "spend_llm_proxy_usd_total",
    _PROXY,
    "Cost of calls through the proxy, as calculated by the proxy. It shows who used what, and is never part "
    "of a total.",
    "usd",
)
SPEND_LLM_PROXY_TOKENS_TOTAL = counter(
    "spend_llm_proxy_tokens_total", (*_PROXY, "token_type"), "Tokens of the calls through the proxy."
)
SPEND_LLM_PROXY_REQUESTS_TOTAL = counter("spend_llm_proxy_requests_total", _PROXY, "Calls through the proxy.")
SPEND_LLM_CAPTURE_RATIO = gauge(
    "spend_llm_capture_ratio",
    ("provider",),
    "The proxy's cost over the billed cost, over settled days: the share of the bill that went through the "
    "proxy.",
    "ratio",
)
