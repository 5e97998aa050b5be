"""The JSON Schema of the summary, in the one place where it is written; served, and kept in the docs."""

from __future__ import annotations

import json
from typing import Any

_Schema = dict[str, Any]


def summary_schema() -> _Schema:
    """Return the schema (draft 2020-12) of what /api/v1/summary and each event of /stream hold."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:spend-exporter:summary:v1",
        "title": "Summary of spending",
        "description": "Amounts are net, in US dollars. What is not known is null, never 0. Members may be "
        "added; those that are here stay.",
        **_object(
            {
                "time": _time("Moment that the figures are for."),
                "as_of": _time("When the exporter last took up what its sources had told."),
                "currency": {"const": "USD"},
                "today": _object(
                    _day(nullable=True),
                    "The billing day so far, as in by_service: usage, purchases and their credits, not tax. "
                    "Until there is enough of a bill to estimate from, only billed_usd is known, as in "
                    "spend_today_usd.",
                ),
                "burn_rate_usd_per_hour": _number("What is being spent per hour at `time`.", nullable=True),
                "month": _object(
                    {
                        "to_date_billed_usd": _number("Billed this month, with tax.", nullable=True),
                        "forecast_end_usd": {
                            **_object(
                                {
                                    "0.1": _number("With a probability of 0.1 it will be less."),
                                    "0.5": _number("The best estimate."),
                                    "0.9": _number("With a probability of 0.9 it will be less."),
                                },
                                "Cost of the whole month by quantile, without tax; summed over providers.",
                            ),
                            "type": ["object", "null"],
                        },
                    }
                ),
                "yesterday": _object(
                    {"billed_usd": _number("Billed so far for yesterday, with tax.", nullable=True)}
                ),
                "last_month": _object(
                    {"billed_usd": _number("Billed so far for last month, with tax.", nullable=True)}
                ),
                "by_provider": _array(
                    _object({"provider": {"type": "string"}, **_day(), **_rate()}),
                    "Today by provider; adds up to `today`. Empty without an estimate.",
                ),
                "by_service": _array(
                    _object(
                        {
                            "provider": {"type": "string"},
                            "service_name": {"type": "string"},
                            **_day(),
                            **_rate(),
                        }
                    ),
                    "Today by service; adds up to `by_provider`. Empty without an estimate.",
                ),
                "cloud_run": _object(
                    {
                        "cost_per_request_usd": _number(
                            "Estimated cost of a request; null without requests or where a rate is missing.",
                            nullable=True,
                        ),
                        "requests_per_hour": _number("Requests in the trailing hour.", nullable=True),
                    },
                    "All Cloud Run services together, over the trailing hour.",
                ),
                "budgets": _array(_budget(), "Empty where there is none."),
                "sources": _array(_source()),
            }
        ),
    }


def schema_json() -> str:
    """Return the schema as it is served and kept in the docs."""
    return json.dumps(summary_schema(), indent=2) + "\n"


def _budget() -> _Schema:
    return _object(
        {
            "budget": {"type": "string", "description": "Its name."},
            "period": {
                "enum": ["day", "week", "month", "quarter", "year", "custom"],
                "description": "`custom` is a budget of the provider's with dates of its own.",
            },
            "limit_usd": _number(
                "What may be spent in the period; null where it follows from a bill that is not known.",
                nullable=True,
            ),
            "used_usd": _number("Cost of the period so far, billed and estimated.", nullable=True),
            "used_ratio": _number("used_usd over limit_usd; 1 is all of it.", nullable=True),
            "forecast_usd": _number("Best estimate of what the whole period will cost.", nullable=True),
        }
    )


def _source() -> _Schema:
    return _object(
        {
            "name": {"type": "string"},
            "up": {
                "type": ["boolean", "null"],
                "description": "Whether the last refresh succeeded; null before the first has ended.",
            },
            "last_success": {**_time("End of its last refresh that succeeded."), "type": ["string", "null"]},
        }
    )


def _day(*, nullable: bool = False) -> _Schema:
    return {
        "billed_usd": _number("In the bill already.", nullable=nullable),
        "estimated_usd": _number("Spent up to `time` and not in the bill yet.", nullable=nullable),
        "total_usd": _number("billed_usd plus estimated_usd.", nullable=nullable),
        "whole_day_usd": _number("What the whole billing day is expected to cost.", nullable=nullable),
    }


def _rate() -> _Schema:
    return {"burn_rate_usd_per_hour": _number("What is being spent per hour at `time`.")}


def _object(properties: _Schema, description: str = "") -> _Schema:
    told = {"description": description} if description else {}
    return {"type": "object", **told, "properties": properties, "required": list(properties)}


def _array(items: _Schema, description: str = "") -> _Schema:
    told = {"description": description} if description else {}
    return {"type": "array", **told, "items": items}


def _number(description: str, *, nullable: bool = False) -> _Schema:
    return {"type": ["number", "null"] if nullable else "number", "description": description}


def _time(description: str) -> _Schema:
    return {"type": "string", "format": "date-time", "description": description}
