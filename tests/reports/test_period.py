"""Periods of reports: how they are named, which is the last whole one, what they are compared with."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.questions.problem import QuestionError
from exporter.reports.period import Kind, days_begun, is_over, last_whole, read_period, title_of

ZONES = ["America/Los_Angeles", "UTC"]


@pytest.mark.parametrize(
    ("kind", "text", "first", "end"),
    [
        ("month", "2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("week", "2026-W53", date(2026, 12, 28), date(2027, 1, 4)),
        ("day", "2028-02-29", date(2028, 2, 29), date(2028, 3, 1)),
    ],
)
def test_a_period_is_named_as_in_iso_8601(kind: Kind, text: str, first: date, end: date) -> None:
    period = read_period(kind, text)
    assert (period.first, period.end, period.name) == (first, end, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(
            ("month", text)
            for text in (
                "2026-13",
                "2026-1",
                "October",
                "2026-10-01",
                "",
                "2026-1\N{ARABIC-INDIC DIGIT ZERO}",
                "9999-01",
            )
        ),
        *(("week", text) for text in ("2026-W54", "2025-W53", "2026-W00", "2026W43", "2026-w43")),
        *(("day", text) for text in ("2026-02-29", "2026-10", "yesterday", "20261012", "2026-10-12\n")),
    ],
)
def test_what_is_no_period_is_refused_with_an_example(kind: Kind, text: str) -> None:
    with pytest.raises(QuestionError, match=rf"{kind}: '.*' is no {kind}; write it as 2026-") as caught:
        read_period(kind, text)
    assert caught.value.parameter == kind


@given(
    st.sampled_from(["day", "week", "month"]),
    st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),
)
def test_the_last_whole_period_is_over_everywhere_and_the_next_is_not(kind: Kind, now: datetime) -> None:
    period = last_whole(kind, now, ZONES)
    assert is_over(period, now, ZONES)
    following = read_period(
        kind, read_period("day", str(period.end)).name if kind == "day" else _name(kind, period.end)
    )
    assert following.before == period
    assert not is_over(following, now, ZONES)
    assert days_begun(now, ZONES) > period.end - timedelta(days=1)


def _name(kind: Kind, day: date) -> str:
    if kind == "month":
        return f"{day:%Y-%m}"
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def test_a_month_that_is_over_in_utc_alone_is_not_over() -> None:
    now = datetime(2026, 11, 1, 3, tzinfo=UTC)
    assert last_whole("month", now, ["UTC"]).name == "2026-10"
    assert last_whole("month", now, ZONES).name == "2026-09"


def test_a_year_earlier_is_the_same_month_or_the_same_days_of_the_week() -> None:
    february = read_period("month", "2028-02")
    assert february.a_year_earlier(february.end) == (date(2027, 2, 1), date(2027, 3, 1))
    assert february.a_year_earlier(date(2028, 2, 29)) == (date(2027, 2, 1), date(2027, 3, 1))
    assert february.a_year_earlier(date(2028, 2, 10)) == (date(2027, 2, 1), date(2027, 2, 10))
    first, end = read_period("week", "2026-W43").a_year_earlier(date(2026, 10, 26))
    assert (first.isoweekday(), (end - first).days) == (1, 7)


@pytest.mark.parametrize(
    ("first", "end", "title"),
    [
        (date(2026, 10, 1), date(2026, 11, 1), "October 2026"),
        (date(2026, 10, 12), date(2026, 10, 19), "12 to 18 October 2026"),
        (date(2026, 9, 28), date(2026, 10, 5), "28 September to 4 October 2026"),
        (date(2026, 12, 28), date(2027, 1, 4), "28 December 2026 to 3 January 2027"),
        (date(2026, 10, 12), date(2026, 10, 13), "Monday 12 October 2026"),
        (date(2026, 9, 1), date(2026, 11, 1), "1 September to 31 October 2026"),
    ],
)
def test_days_are_titled_as_people_write_them(first: date, end: date, title: str) -> None:
    assert title_of(first, end) == title
