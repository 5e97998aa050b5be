"""The spending in one small document: today with its estimate, the month, the rate now, budgets, sources.

Amounts are added up in billionths of a US dollar, so that every total is the exact sum of its parts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypedDict

from exporter.analysis.bill.billing_calendar import hours_at
from exporter.analysis.bill.coverage import BillCoverage
from exporter.analysis.llm.services import LLM_PROVIDERS
from exporter.analysis.nowcast.forecast import QUANTILES
from exporter.analysis.nowcast.nowcast import Nowcast
from exporter.core.cost_cells import NANO
from exporter.core.llm_meters import STAND_IN_SERVICE_NAME
from exporter.metrics.insights import insights
from exporter.metrics.outlooks.budget_outlook import BudgetOutlook
from exporter.metrics.outlooks.outlook import Outlook
from exporter.metrics.snapshot import HEADINGS, Snapshot
from exporter.metrics.summary_schema import (
    BillState,
    BudgetUse,
    CloudRun,
    Day,
    LastMonth,
    Month,
    MonthEnd,
    PartDay,
    ProviderDay,
    ServiceDay,
    SourceState,
    Summary,
    Yesterday,
    moment_text,
)


class _Covered(TypedDict):
    partial: bool | None
    covered_from: str | None


@dataclass(frozen=True, slots=True)
class _Today:
    """Today's cost of one service, or of several together, in billionths of a US dollar."""

    billed: int = 0
    estimated: int = 0
    whole_day: int = 0
    per_hour: int = 0

    def __add__(self, other: _Today) -> _Today:
        return _Today(
            self.billed + other.billed,
            self.estimated + other.estimated,
            self.whole_day + other.whole_day,
            self.per_hour + other.per_hour,
        )

    def divided(self, share: float) -> tuple[_Today, _Today]:
        """Return a share of it, and the rest: together exactly the whole."""
        amounts = (self.billed, self.estimated, self.whole_day, self.per_hour)
        part = _Today(*(round(usd * share) for usd in amounts))
        return part, _Today(
            self.billed - part.billed,
            self.estimated - part.estimated,
            self.whole_day - part.whole_day,
            self.per_hour - part.per_hour,
        )

    def day(self) -> dict[str, float]:
        return {
            "billed_usd": self.billed / NANO,
            "estimated_usd": self.estimated / NANO,
            "total_usd": (self.billed + self.estimated) / NANO,
            "whole_day_usd": self.whole_day / NANO,
        }

    def day_and_rate(self) -> dict[str, float]:
        return {**self.day(), "burn_rate_usd_per_hour": self.per_hour / NANO}


def summary(snapshot: Snapshot, now: datetime) -> dict[str, Any]:
    """Return the summary at `now` (aware) as plain JSON values, of the shape in summary_schema.py.

    Unknown values are None. Where the snapshot's estimates end before `now`, they stay at their last value.
    """
    services = {
        (outlook.provider, service): today
        for outlook in snapshot.outlooks
        for service, today in _services(outlook.nowcast, now).items()
    }
    providers = {
        provider: _sum(today for (its_provider, _), today in services.items() if its_provider == provider)
        for provider in {provider for provider, _ in services}
    }
    windows = {name: _usd(dict(snapshot.totals).get(heading)) for name, heading in HEADINGS.items()}
    covered = {name: _covered(snapshot.coverage, name) for name in HEADINGS}
    budgets = [_budget(outlook, now) for outlook in snapshot.budgets]
    everything = _sum(providers.values()) if providers else None
    return Summary(
        time=moment_text(now),
        as_of=moment_text(snapshot.built_at),
        currency="USD",
        today=Day(**(everything.day() if everything else _billed_only(windows["today"])), **covered["today"]),
        burn_rate_usd_per_hour=everything.per_hour / NANO if everything else None,
        month=Month(
            to_date_billed_usd=windows["month_to_date"],
            forecast_end_usd=_month_end(snapshot.outlooks),
            **covered["month_to_date"],
        ),
        yesterday=Yesterday(billed_usd=windows["yesterday"], **covered["yesterday"]),
        last_month=LastMonth(billed_usd=windows["last_month"], **covered["last_month"]),
        by_provider=[
            ProviderDay(provider=provider, **today.day_and_rate())
            for provider, today in sorted(providers.items())
        ],
        by_service=[
            ServiceDay(provider=provider, service_name=service, **today.day_and_rate())
            for (provider, service), today in sorted(services.items())
        ],
        by_part=[
            PartDay(part=part, **today.day_and_rate())
            for part, today in _parts(services, snapshot.llm_shares).items()
        ],
        cloud_run=_cloud_run(snapshot),
        budgets=budgets,
        insights=insights(snapshot.details, budgets),
        bills=[
            BillState(provider=provider, billing_account_id=account, billed_since=moment_text(begin))
            for (provider, account), begin in sorted(snapshot.coverage.begins.items())
        ],
        sources=[
            SourceState(
                name=source.name,
                up=source.up,
                read_whole=source.shown,
                last_success=moment_text(source.last_success) if source.last_success else None,
                last_error=source.last_error or None,
                update_interval_seconds=source.update_interval_seconds,
            )
            for source in snapshot.sources
        ],
    ).model_dump(by_alias=True)


def summary_json(snapshot: Snapshot, now: datetime) -> bytes:
    """Return the summary as one line of JSON, without a line end."""
    return json.dumps(summary(snapshot, now), allow_nan=False, separators=(",", ":")).encode()


def _services(nowcast: Nowcast, now: datetime) -> dict[str, _Today]:
    hours = hours_at(now)
    hours = min(max(hours, nowcast.begin), math.nextafter(nowcast.end, -math.inf))
    whole = nowcast.whole_day(hours)
    per_hour = nowcast.burn_rate_usd_per_hour(hours)
    return {
        service: _Today(
            split.billed_nano_usd,
            split.estimated_nano_usd,
            whole[service].total_nano_usd,
            round(per_hour[service] * NANO),
        )
        for service, split in nowcast.today_so_far(hours).items()
    }


def _parts(
    services: Mapping[tuple[str, str], _Today], shares: Mapping[tuple[str, str], float]
) -> dict[Literal["llm", "google", "other"], _Today]:
    """Divide the services into language models, Google's others and all others; nothing without services."""
    parts: dict[Literal["llm", "google", "other"], _Today] = (
        {"llm": _Today(), "google": _Today(), "other": _Today()} if services else {}
    )
    for (provider, service), today in services.items():
        only_models = provider in LLM_PROVIDERS or service == STAND_IN_SERVICE_NAME
        models, rest = today.divided(1.0 if only_models else shares.get((provider, service), 0.0))
        parts["llm"] += models
        parts["google" if provider == "gcp" else "other"] += rest
    return parts


def _sum(parts: Iterable[_Today]) -> _Today:
    return sum(parts, _Today())


def _billed_only(billed_usd: float | None) -> dict[str, float | None]:
    return {"billed_usd": billed_usd, "estimated_usd": None, "total_usd": None, "whole_day_usd": None}


def _covered(coverage: BillCoverage, window: str) -> _Covered:
    begin = coverage.covered_from(window)
    return {"partial": coverage.is_partial(window), "covered_from": moment_text(begin) if begin else None}


def _month_end(outlooks: Iterable[Outlook]) -> MonthEnd | None:
    """Sums over providers: exact for the expected value, wider than necessary for the outer quantiles."""
    months = [outlook.month for outlook in outlooks]
    known = [month for month in months if month is not None]
    if not known or len(known) < len(months):
        return None
    return MonthEnd.model_validate(
        {
            f"{quantile:g}": sum(round(month.quantile_usd[quantile] * NANO) for month in known) / NANO
            for quantile in QUANTILES
        }
    )


def _cloud_run(snapshot: Snapshot) -> CloudRun:
    hour = snapshot.cloud_run
    return CloudRun(
        cost_per_request_usd=hour.cost_per_request_usd if hour else None,
        requests_per_hour=hour.requests if hour else None,
        usd_per_hour=hour.usd if hour else None,
        cost_per_cpu_second_usd=hour.cost_per_cpu_second_usd if hour else None,
        cpu_seconds_per_request=hour.cpu_seconds_per_request if hour else None,
        cold_start_ratio=hour.cold_start_ratio if hour else None,
    )


def _budget(outlook: BudgetOutlook, now: datetime) -> BudgetUse:
    state = outlook.state(now)
    return BudgetUse(
        budget=outlook.budget.name,
        period=outlook.budget.period,
        limit_usd=_usd(outlook.limit_usd),
        used_usd=_usd(state.used_usd) if state else None,
        used_ratio=state.used_ratio if state else None,
        forecast_usd=state.forecast_usd[0.5] if state else None,
        partial=outlook.covered_from is not None if state else None,
        covered_from=moment_text(outlook.covered_from) if state and outlook.covered_from else None,
    )


def _usd(amount: Decimal | None) -> float | None:
    return None if amount is None else round(amount * NANO) / NANO
