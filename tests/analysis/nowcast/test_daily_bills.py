"""What a provider that bills by the day costs today: usage at the bill's own level, replaced when billed."""

from __future__ import annotations

import random
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.analysis.nowcast.daily_bills import DailyCosts, daily_outlook
from exporter.core.cost_cells import NANO

TODAY = date(2026, 11, 18).toordinal()
"""A Wednesday."""
MIDNIGHT = (TODAY - date(1970, 1, 1).toordinal()) * 24
NOON = MIDNIGHT + 12
SERVICE = "OpenAI API"


def usage(days: int, usd_per_hour: float, until: float = NOON) -> dict[int, float]:
    """The same usage in each hour of the last days, up to a moment."""
    hours = range(MIDNIGHT - 24 * days, int(until) + 1)
    return {hour: usd_per_hour * NANO * min(1.0, until - hour) for hour in hours if until > hour}


def bill(days: int, usd_per_day: float) -> dict[int, int]:
    """The same bill for each of the last days, not for today."""
    return {TODAY - ago: round(usd_per_day * NANO) for ago in range(1, days + 1)}


def usd(nano: float) -> float:
    return nano / NANO


def test_usage_is_scaled_to_what_settled_days_turned_out_to_cost() -> None:
    costs = DailyCosts({SERVICE: bill(20, 24 * 0.9)}, {SERVICE: usage(20, 1.0)}, float(NOON))
    nowcast, _ = daily_outlook(costs, "UTC", NOON)
    today = nowcast.today_so_far(float(NOON))[SERVICE]
    assert today.billed_nano_usd == 0
    assert usd(today.total_nano_usd) == pytest.approx(12 * 0.9)
    assert usd(nowcast.whole_day(float(NOON))[SERVICE].total_nano_usd) == pytest.approx(24 * 0.9)
    assert nowcast.burn_rate_usd_per_hour(float(NOON))[SERVICE] == pytest.approx(0.9)


def test_what_is_billed_of_the_open_day_takes_the_place_of_its_estimate() -> None:
    billed = {**bill(20, 24.0), TODAY: 15 * NANO}
    costs = DailyCosts({SERVICE: billed}, {SERVICE: usage(20, 1.0)}, float(NOON))
    nowcast, _ = daily_outlook(costs, "UTC", NOON)
    today = nowcast.today_so_far(NOON + 0.999999)[SERVICE]
    assert usd(today.billed_nano_usd) == 15.0
    assert usd(today.total_nano_usd) == pytest.approx(15.0, abs=1e-3)


def test_a_settled_day_costs_what_was_billed_whatever_usage_says() -> None:
    costs = DailyCosts({SERVICE: bill(20, 7.0)}, {SERVICE: usage(3, 1.0)}, float(NOON))
    nowcast, month = daily_outlook(costs, "UTC", NOON)
    low = nowcast.calendar.day_hours(TODAY - 3)[0] - nowcast.begin
    assert usd(sum(nowcast.estimate[SERVICE][low : low + 24])) == pytest.approx(7.0)
    assert month.billed_nano_usd == 17 * 7 * NANO


def test_a_provider_without_a_bill_is_estimated_from_its_usage_alone() -> None:
    costs = DailyCosts({}, {"LLM API": usage(10, 0.5)}, float(NOON))
    nowcast, month = daily_outlook(costs, "UTC", NOON)
    split = nowcast.today_so_far(float(NOON))["LLM API"]
    assert split.billed_nano_usd == 0
    assert usd(split.estimated_nano_usd) == pytest.approx(6.0)
    assert usd(nowcast.unbilled_before_today(float(NOON))["LLM API"]) == pytest.approx(10 * 12.0)
    assert month.quantile_usd[0.5] == pytest.approx(10 * 12.0 + 13 * 12.0)


def test_a_provider_without_usage_is_estimated_by_its_weekdays() -> None:
    weekly = {
        TODAY - ago: (NANO if (TODAY - ago) % 7 in {6, 0} else 10 * NANO) for ago in range(1, 40)
    }  # Ordinals that leave 6 and 0 are Saturday and Sunday.
    nowcast, month = daily_outlook(DailyCosts({"EC2": weekly}, {}, 0.0), "UTC", NOON)
    assert usd(nowcast.whole_day(float(NOON))["EC2"].total_nano_usd) == pytest.approx(10.0, rel=0.05)
    weekdays = sum(10 if (TODAY + ahead) % 7 not in {6, 0} else 1 for ahead in range(13))
    billed = sum(weekly[TODAY - ago] for ago in range(1, 18)) / NANO
    assert month.quantile_usd[0.5] == pytest.approx(billed + weekdays, rel=0.1)


def test_a_fee_charged_once_a_month_is_not_expected_every_week() -> None:
    billed = bill(30, 10.0)
    billed[TODAY - 14] += 3000 * NANO
    nowcast, _ = daily_outlook(DailyCosts({"Support": billed}, {}, 0.0), "UTC", NOON)
    assert usd(nowcast.whole_day(float(NOON))["Support"].total_nano_usd) == pytest.approx(10.0)


def test_usage_that_stopped_being_told_is_expected_as_usual() -> None:
    known = float(NOON - 3)
    costs = DailyCosts({SERVICE: bill(20, 24.0)}, {SERVICE: usage(20, 1.0, until=known)}, known)
    nowcast, _ = daily_outlook(costs, "UTC", NOON)
    assert usd(nowcast.today_so_far(float(NOON))[SERVICE].total_nano_usd) == pytest.approx(12.0)


def test_an_unusual_last_day_at_most_doubles_what_the_rest_of_today_is_expected_to_cost() -> None:
    def rest_of_today(unusual: float) -> float:
        hours = usage(20, 1.0) | dict.fromkeys(range(NOON - 24, NOON), unusual * NANO)
        costs = DailyCosts({SERVICE: bill(20, 24.0)}, {SERVICE: hours}, float(NOON))
        nowcast, _ = daily_outlook(costs, "UTC", NOON)
        whole, so_far = nowcast.whole_day(float(NOON)), nowcast.today_so_far(float(NOON))
        return usd(whole[SERVICE].total_nano_usd - so_far[SERVICE].total_nano_usd)

    assert rest_of_today(1.5) == pytest.approx(12 * 1.5)
    # An hour of a weekday has been seen ten times, and is unusual in one of them.
    assert rest_of_today(100.0) == pytest.approx(12 * 2.0 * (9 * 1.0 + 100.0) / 10)


def test_an_unusual_last_week_at_most_doubles_the_costs_of_weekdays() -> None:
    def today(unusual: float) -> float:
        billed = bill(40, 10.0) | bill(7, unusual)
        nowcast, _ = daily_outlook(DailyCosts({"EC2": billed}, {}, 0.0), "UTC", NOON)
        return usd(nowcast.whole_day(float(NOON))["EC2"].total_nano_usd)

    # The last settled day is the day before yesterday: one of the seven is still usual.
    assert today(15.0) == pytest.approx((6 * 15.0 + 10.0) / 7)
    assert today(1000.0) == pytest.approx(20.0)
    assert today(0.1) == pytest.approx(5.0)


def test_the_quantiles_of_the_month_widen_with_the_noise_of_its_days() -> None:
    def width(spread: float) -> float:
        chance = random.Random(7)
        noisy = {day: round(NANO * 10 * (1 + spread * chance.uniform(-1, 1))) for day in bill(30, 1.0)}
        month = daily_outlook(DailyCosts({"EC2": noisy}, {}, 0.0), "UTC", NOON)[1].quantile_usd
        assert month[0.1] <= month[0.5] <= month[0.9]
        return month[0.9] - month[0.1]

    assert width(0.5) > 1.5 * width(0.02)


def test_the_quantiles_of_the_day_close_in_as_its_usage_becomes_known() -> None:
    chance = random.Random(7)
    noisy = {day: round(NANO * 24 * chance.uniform(0.7, 1.3)) for day in bill(30, 1.0)}

    def width(hour: int) -> float:
        as_of = MIDNIGHT + hour
        hourly = usage(20, 1.0, until=as_of)
        day = daily_outlook(DailyCosts({SERVICE: noisy}, {SERVICE: hourly}, float(as_of)), "UTC", as_of)[1]
        assert day.day_quantile_usd[0.1] < day.day_quantile_usd[0.5] < day.day_quantile_usd[0.9]
        return (day.day_quantile_usd[0.9] - day.day_quantile_usd[0.1]) / day.day_quantile_usd[0.5]

    assert width(20) < 0.5 * width(8)


amounts = st.integers(-5 * NANO, 50 * NANO)


@pytest.mark.slow
@given(
    billed=st.dictionaries(st.sampled_from("ab"), st.dictionaries(st.integers(TODAY - 40, TODAY), amounts)),
    used=st.dictionaries(
        st.sampled_from("ab"),
        st.dictionaries(st.integers(NOON - 700, NOON), st.floats(0, 1e10), max_size=60),
    ),
    ago=st.floats(0, 100),
    minutes=st.integers(0, 59),
)
def test_billed_and_estimated_sum_to_the_estimate_whatever_is_known(
    billed: dict[str, dict[int, int]], used: dict[str, dict[int, float]], ago: float, minutes: int
) -> None:
    nowcast, month = daily_outlook(DailyCosts(billed, used, NOON - ago), "UTC", NOON)
    now = NOON + minutes / 60
    whole = nowcast.whole_day(now)
    for service, split in nowcast.today_so_far(now).items():
        assert split.billed_nano_usd == billed.get(service, {}).get(TODAY, 0)
        assert split.total_nano_usd == split.billed_nano_usd + split.estimated_nano_usd
        assert whole[service].billed_nano_usd == split.billed_nano_usd
    in_month = [amount for days in billed.values() for day, amount in days.items() if day > TODAY - 18]
    assert month.billed_nano_usd == sum(in_month)
