"""Estimates of the nowcast are kept once for each hour, through restarts, and no longer than charges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.ledger.charges.store import Ledger
from exporter.ledger.past_estimates import PastEstimate, PastEstimates, estimates_since

HOUR = timedelta(hours=1)
FIRST = PastEstimate(
    "gcp", datetime(2026, 11, 10, 20, tzinfo=UTC), date(2026, 11, 10), 5, 24, with_live_usage=True
)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def kept(ledger: Ledger, provider: str = "gcp", day: date = date(2026, 1, 1)) -> list[PastEstimate]:
    with ledger.view([]) as view:
        return estimates_since(view, provider, day)


def test_the_first_estimate_of_an_hour_stays(ledger: Ledger) -> None:
    past = PastEstimates(ledger)
    past.keep([FIRST])
    other = replace(FIRST, provider="openai", nowcast_nano_usd=7)
    past.keep([replace(FIRST, nowcast_nano_usd=6, with_live_usage=False), other])
    assert kept(ledger) == [FIRST]
    assert kept(ledger, "openai") == [other]


def test_it_survives_a_restart_and_still_the_first_stays(tmp_path: Path) -> None:
    path = tmp_path / "spend.duckdb"
    before = Ledger(path)
    PastEstimates(before).keep([FIRST])
    before.close()
    after = Ledger(path)
    PastEstimates(after).keep([replace(FIRST, day_forecast_nano_usd=99)])
    found = kept(after)
    after.close()
    assert found == [FIRST]


def test_it_is_returned_by_provider_from_a_billing_day_on_oldest_first(ledger: Ledger) -> None:
    later = replace(FIRST, hour=FIRST.hour + 24 * HOUR, day=date(2026, 11, 11))
    PastEstimates(ledger).keep([later, FIRST])
    assert kept(ledger) == [FIRST, later]
    assert kept(ledger, day=date(2026, 11, 11)) == [later]
    assert kept(ledger, "openai") == []


def test_estimates_before_a_moment_are_deleted(ledger: Ledger) -> None:
    past = PastEstimates(ledger)
    later = replace(FIRST, hour=FIRST.hour + HOUR)
    past.keep([FIRST, later])
    past.forget_before(FIRST.hour + HOUR)
    past.forget_before(FIRST.hour - HOUR)
    assert kept(ledger) == [later]


def test_a_ledger_that_may_only_be_read_keeps_nothing_and_is_no_trouble(ledger: Ledger) -> None:
    PastEstimates(ledger).keep([FIRST])
    ledger.file.read_only = True
    past = PastEstimates(ledger)
    past.keep([replace(FIRST, hour=FIRST.hour + HOUR)])
    past.forget_before(FIRST.hour + HOUR)
    assert kept(ledger) == [FIRST]


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["gcp", "openai"]), st.integers(0, 5), st.integers(-(2**62), 2**62)),
        max_size=20,
    )
)
def test_however_many_estimates_come_the_first_of_each_hour_and_provider_is_kept(
    reported: list[tuple[str, int, int]],
) -> None:
    opened = Ledger(None)
    first: dict[tuple[str, int], int] = {}
    for provider, hour, amount in reported:
        estimate = replace(FIRST, provider=provider, hour=FIRST.hour + hour * HOUR, nowcast_nano_usd=amount)
        PastEstimates(opened).keep([estimate])
        first.setdefault((provider, hour), amount)
    found = {
        (each.provider, (each.hour - FIRST.hour) // HOUR): each.nowcast_nano_usd
        for provider in ("gcp", "openai")
        for each in kept(opened, provider)
    }
    opened.close()
    assert found == first
