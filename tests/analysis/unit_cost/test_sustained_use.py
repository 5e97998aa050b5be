"""Cores are priced at the step of the month that they have reached, beside an hourly count of each core."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from exporter.analysis.unit_cost.agreement import agreements
from exporter.analysis.unit_cost.rates import learn_rates
from exporter.core.meters import COMPUTE, UsageMeter, meters_by_name

PACIFIC = ZoneInfo("America/Los_Angeles")
HOUR = timedelta(hours=1)
BEGAN = date(2026, 6, 1)
ENDED = date(2026, 9, 30)
SETTLING, REACH = timedelta(days=3), timedelta(days=35)
PLACE = ("shop-prod", "us-central1")
N1, N2, NONE = (1.0, 0.8, 0.6, 0.4), (1.0, 0.8678, 0.733, 0.6), (1.0,) * 4
CORE_SECOND_USD = 1e-5
CORES = meters_by_name()["compute_core_seconds"]
assert CORES.skus is not None
BLENDED = replace(CORES, skus=replace(CORES.skus, sustained_use=False))
"""The same with one rate for all days of the month."""

Level = Callable[[datetime], int]
"""Cores in an hour."""


@dataclass(frozen=True)
class Billed:
    day: date
    usd: float
    quantity: float
    sku: str = "N2 Instance Core running in Americas"
    sku_id: str = "core"
    project_id: str = PLACE[0]
    region_id: str = PLACE[1]
    service_id: str = COMPUTE
    service_name: str = "Compute Engine"


@dataclass(frozen=True)
class Used:
    day: date
    amount: float
    project_id: str = PLACE[0]
    region_id: str = PLACE[1]
    meter: str = "compute_core_seconds"
    resource: str = ""
    dimension: str = ""


def steady(_hour: datetime) -> int:
    return 16


def begun_in_mid_month(hour: datetime) -> int:
    return 8 + (8 if hour.date() >= date(2026, 8, 12) else 0)


def weekdays_more(hour: datetime) -> int:
    return 12 + (8 if hour.weekday() < 5 else 0)


def daytime_more(hour: datetime) -> int:
    return 12 + (8 if 14 <= hour.hour < 24 else 0)


@cache
def bill(level: Level, steps: tuple[float, ...], committed: int = 0) -> tuple[Billed, ...]:
    """Every core counted by the hour: what it has run in the month is what its discount depends on.

    Cores under a commitment cost nothing by themselves, and come first.
    """
    found: dict[date, list[float]] = {}
    ran: dict[int, float] = {}
    hour = datetime.combine(BEGAN, datetime.min.time(), UTC)
    while hour.date() <= ENDED:
        local = hour.astimezone(PACIFIC)
        if local.day == 1 and local.hour == 0:
            ran = {}
        month = monthrange(local.year, local.month)[1] * 24.0
        cell = found.setdefault(hour.date(), [0.0, 0.0])
        for core in range(level(hour)):
            if core >= committed:
                cell[0] += CORE_SECOND_USD * 3600.0 * steps[min(3, int(4.0 * ran.get(core, 0.0) / month))]
                ran[core] = ran.get(core, 0.0) + 1.0
            cell[1] += 3600.0
        hour += HOUR
    return tuple(Billed(day, usd, quantity) for day, (usd, quantity) in found.items())


@dataclass(frozen=True)
class Case:
    level: Level
    steps: tuple[float, ...]
    mean: float
    """Largest mean size of the relative error."""
    worst: float
    committed: int = 0


def errors(case: Case, table: tuple[UsageMeter, ...] = (CORES,)) -> list[float]:
    """Relative error of each day's price in August and September, as it was known on the day."""
    rows = bill(case.level, case.steps, case.committed)
    found = []
    for row in rows:
        if row.day >= date(2026, 8, 1):
            known = [each for each in rows if row.day - REACH <= each.day < row.day]
            used = [Used(each.day, each.quantity) for each in known]
            book = learn_rates(known, used, row.day - SETTLING, today=row.day, table=table)
            rate = book.rate(CORES.name, *PLACE)
            assert rate is not None
            found.append(rate.usd_per_unit / (row.usd / row.quantity) - 1.0)
    return found


def mean_size(found: list[float]) -> float:
    return sum(map(abs, found)) / len(found)


@pytest.mark.parametrize(
    "case",
    [
        Case(steady, N1, mean=0.001, worst=0.005),
        Case(steady, N2, mean=0.001, worst=0.005),
        Case(steady, N2, mean=0.001, worst=0.005, committed=6),
        Case(weekdays_more, N1, mean=0.02, worst=0.06),
        Case(daytime_more, N1, mean=0.02, worst=0.06),
        Case(daytime_more, N2, mean=0.02, worst=0.06),
        Case(begun_in_mid_month, N1, mean=0.03, worst=0.15),
    ],
)
def test_cores_cost_what_they_cost_at_this_time_of_the_month(case: Case) -> None:
    found = errors(case)
    assert len(found) == 61
    assert mean_size(found) <= case.mean
    assert max(map(abs, found)) <= case.worst
    one_rate = errors(case, (BLENDED,))
    assert mean_size(one_rate) > 0.14, "one rate for the whole month would do as well"


@pytest.mark.slow
def test_cores_without_the_discount_are_priced_as_before() -> None:
    case = Case(daytime_more, NONE, mean=0.0, worst=0.0)
    assert errors(case) == errors(case, (BLENDED,))
    assert max(map(abs, errors(case))) < 1e-12


def test_a_commitment_that_is_bought_is_not_taken_for_a_step() -> None:
    bought = date(2026, 8, 16)
    known = [
        Billed(each.day, each.usd * (0.6 if each.day >= bought else 1.0), each.quantity)
        for each in bill(steady, NONE)
        if date(2026, 8, 1) <= each.day <= date(2026, 8, 25)
    ]
    found = [
        learn_rates(known, [], date(2026, 8, 25), table=(row,)).rate(CORES.name, *PLACE)
        for row in (CORES, BLENDED)
    ]
    assert found[0] == found[1]


def test_settled_days_are_compared_at_the_price_of_their_own_part_of_the_month() -> None:
    known = [each for each in bill(steady, N1) if date(2026, 8, 20) <= each.day <= date(2026, 9, 20)]
    used = [Used(each.day, each.quantity) for each in known]
    (found,) = agreements(known, used, learn_rates(known, used, ENDED), ENDED)
    assert found.estimate_to_billed_ratio == pytest.approx(1.0, abs=0.002)
    for day in (date(2026, 8, 22), date(2026, 9, 3), date(2026, 9, 20)):
        mine = [each for each in known if each.day >= day][:1]
        late = [each for each in used if day - timedelta(days=1) <= each.day <= day]
        (one,) = agreements(mine, late, learn_rates(known, used, ENDED), ENDED)
        assert one.estimate_to_billed_ratio == pytest.approx(1.0, abs=0.01)
