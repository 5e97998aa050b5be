"""A month's budget of whole providers has the forecast that those providers' months have."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from exporter.analysis.bill.attribution import Match
from exporter.metrics.outlooks.budget import Budget
from exporter.metrics.outlooks.budget_month import rest_of_month_usd
from exporter.metrics.outlooks.budget_outlook import BudgetOutlook
from exporter.metrics.outlooks.outlook import Outlook
from tests.support.outlooks import DAY_BEGINS, daily_limit, outlook, steady

NOW = DAY_BEGINS + timedelta(hours=10)
MONTH = (datetime(2026, 11, 1, 7, tzinfo=UTC), datetime(2026, 12, 1, 8, tzinfo=UTC))
"""November in the billing zone."""
ALL = Budget("all", "month", Decimal(5000))
GCP = outlook({"Cloud Run": steady(2.0)}, month_usd=(900.0, 1000.5, 1200.25))
AWS = outlook({"Amazon EC2": steady(1.0)}, provider="aws", month_usd=(400.0, 500.0, 700.0))
BEGINS = dict.fromkeys(("gcp", "aws"), MONTH[0])


def rest(
    budget: Budget, *outlooks: Outlook, begins: dict[str, datetime] = BEGINS, now: datetime = NOW
) -> dict[float, float] | None:
    providers = {each.provider for each in outlooks}
    return rest_of_month_usd(budget, outlooks, providers, begins, now)


def state_of(budget: Budget, *outlooks: Outlook, billed: str = "8", tax: str = "0") -> dict[float, float]:
    """Forecast of a budget whose bill of the month is that of daily_limit, and some tax."""
    made: BudgetOutlook = replace(
        daily_limit("1", *outlooks),
        budget=budget,
        period=MONTH,
        limit_usd=Decimal(5000),
        billed_usd={("gcp", "Cloud Run"): Decimal(billed), ("gcp", "Tax"): Decimal(tax)},
        providers=frozenset(each.provider for each in outlooks),
    )
    state = made.state(NOW)
    assert state is not None
    return state.forecast_usd


def billed_usd(each: Outlook, usd: int) -> Outlook:
    """The same outlook where the month's forecast has this much of the bill."""
    assert each.month is not None
    return replace(each, month=replace(each.month, billed_nano_usd=usd * 10**9))


def test_its_forecast_is_the_sum_of_the_months_forecasts() -> None:
    both = (billed_usd(GCP, 8), AWS)
    assert state_of(ALL, *both) == pytest.approx({0.1: 1300.0, 0.5: 1500.5, 0.9: 1900.25})


def test_tax_that_is_billed_is_on_top() -> None:
    assert state_of(ALL, billed_usd(GCP, 8), tax="70")[0.5] == pytest.approx(1070.5)


def test_the_rest_shrinks_by_what_is_estimated_meanwhile() -> None:
    # The bill has four of the ten hours at two dollars.
    assert rest(ALL, GCP) == pytest.approx({0.1: 888.0, 0.5: 988.5, 0.9: 1188.25})
    later = rest(ALL, GCP, now=NOW + timedelta(hours=2))
    assert later == pytest.approx({0.1: 884.0, 0.5: 984.5, 0.9: 1184.25})


def test_a_budget_of_one_provider_has_only_its_forecast() -> None:
    of_gcp = replace(ALL, match=Match(providers=("gcp",)))
    assert rest(of_gcp, GCP) == rest(ALL, GCP)


@pytest.mark.parametrize(
    "budget",
    [
        replace(ALL, period="day"),
        replace(ALL, period="quarter"),
        replace(ALL, with_credits=False),
        replace(ALL, categories=("ai",)),
        replace(ALL, match=Match(providers=("gcp",), projects=("lab",))),
        replace(ALL, match=Match(labels={"team": ("a",)})),
    ],
)
def test_a_budget_of_anything_else_has_none(budget: Budget) -> None:
    assert rest(ALL, GCP) is not None
    assert rest(budget, GCP) is None


def test_there_is_none_unless_every_provider_has_one_of_the_same_month() -> None:
    assert rest(ALL, GCP, outlook({"Amazon EC2": steady(1.0)}, provider="aws", month_usd=None)) is None
    assert rest_of_month_usd(ALL, [GCP], {"gcp", "aws"}, BEGINS, NOW) is None
    # A budget with its own time zone has another month.
    assert rest(ALL, GCP, begins={"gcp": datetime(2026, 11, 1, tzinfo=UTC)}) is None
    assert rest(ALL, GCP, begins={"gcp": MONTH[1]}) is None
