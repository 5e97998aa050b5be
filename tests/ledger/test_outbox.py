"""What a receiver is sent adds up to the ledger, whatever happens on the way, and no value is sent as two."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from exporter.ledger.outbox import MOST_REFUSALS, Outbox, Queued
from tests.support.charge_rows import HOUR, charge, put

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
START = datetime(2026, 11, 10, tzinfo=UTC)
Hour = tuple[tuple[str, ...], datetime]


def outbox(
    ledger: Ledger, since: datetime = NOW - timedelta(days=31), sources: Sequence[str] = ("files",)
) -> Outbox:
    return Outbox(ledger, "http://receiver", sources, since)


def decide(box: Outbox, now: datetime = NOW, limit: int = 1000) -> int:
    box.know_series(now)
    return sum(box.decide(window, now, limit) for window in box.windows(now))


def usage(hour: int, usd: str, project: str = "shop-prod", **changes: object) -> Charge:
    return charge(usd, charge_period_start=START + hour * HOUR, project_id=project, **changes)


def billed(ledger: Ledger) -> dict[Hour, Decimal]:
    with ledger.reading() as connection:
        rows = connection.execute(
            """SELECT provider, project_id, service_name, charge_category, charge_period_start,
                 sum(billed_cost_usd)
               FROM charge JOIN series USING (series_id) GROUP BY ALL"""
        ).fetchall()
    return {(tuple(labels), hour.replace(tzinfo=UTC)): usd for *labels, hour, usd in rows}


class Receiver:
    """Keeps the first value of a series and a time, as receivers do; another one must not come."""

    def __init__(self) -> None:
        self.values: dict[tuple[tuple[str, ...], int], float] = {}
        self.hours: dict[Hour, list[float]] = defaultdict(list)

    def take(self, samples: Sequence[Queued]) -> None:
        for each in samples:
            key = (each.labels, each.stamp_ms)
            assert self.values.setdefault(key, float(each.usd)) == float(each.usd)
            hour = datetime.fromtimestamp(each.stamp_ms / 1000, UTC).replace(
                minute=0, second=0, microsecond=0
            )
            assert hour == each.usage_hour
        self.hours.clear()
        for (labels, stamp), value in self.values.items():
            self.hours[labels, datetime.fromtimestamp(stamp // 3_600_000 * 3600, UTC)].append(value)

    def sums(self) -> dict[Hour, float]:
        return {key: sum(values) for key, values in self.hours.items()}


def deliver_all(box: Outbox, receiver: Receiver, now: datetime = NOW) -> None:
    while True:
        while batch := box.due(now, 3):
            receiver.take(batch)
            box.acknowledge(batch)
        if not decide(box, now, 5):
            return


@pytest.mark.slow
def test_an_hour_is_sent_once_and_then_only_what_it_changed_by(tmp_path: Path) -> None:
    ledger, receiver = Ledger(None), Receiver()
    box = outbox(ledger)
    put(ledger, tmp_path, "a", usage(0, "1.5"), usage(1, "2"))
    assert decide(box) == 2
    first = box.due(NOW, 10)
    assert [(each.usd, each.revision) for each in first] == [(Decimal("1.5"), 0), (Decimal(2), 0)]
    receiver.take(first)
    box.acknowledge(first)
    assert decide(box) == 0
    put(ledger, tmp_path, "a", usage(0, "1.5"), usage(1, "0.25"))
    assert decide(box) == 1
    [correction] = box.due(NOW, 10)
    assert (correction.usd, correction.revision) == (Decimal("-1.75"), 1)
    assert correction.stamp_ms == first[1].stamp_ms - 60_000
    box.acknowledge([correction])
    receiver.take([correction])
    assert sum(receiver.values.values()) == 1.75


@pytest.mark.slow
def test_what_is_under_way_keeps_its_value_while_the_ledger_changes(tmp_path: Path) -> None:
    ledger = Ledger(None)
    box = outbox(ledger)
    put(ledger, tmp_path, "a", usage(0, "1"))
    decide(box)
    put(ledger, tmp_path, "a", usage(0, "5"))
    assert decide(box) == 0
    [kept] = outbox(ledger).due(NOW, 10)
    assert (kept.usd, kept.revision) == (Decimal(1), 0)
    box.acknowledge([kept])
    decide(box)
    assert [(each.usd, each.revision) for each in box.due(NOW, 10)] == [(Decimal(4), 1)]


@pytest.mark.slow
def test_an_hour_that_costs_nothing_is_reported_as_zero_and_once(tmp_path: Path) -> None:
    ledger = Ledger(None)
    box = outbox(ledger)
    put(ledger, tmp_path, "a", usage(0, "0"))
    assert decide(box) == 1
    [zero] = box.due(NOW, 10)
    assert zero.usd == 0
    box.acknowledge([zero])
    ledger.retract("files", "a")
    assert decide(box) == 0


@pytest.mark.slow
def test_charges_that_vanish_are_taken_back(tmp_path: Path) -> None:
    ledger, receiver = Ledger(None), Receiver()
    box = outbox(ledger)
    put(ledger, tmp_path, "a", usage(0, "1"))
    deliver_all(box, receiver)
    ledger.retract("files", "a")
    deliver_all(box, receiver)
    assert list(receiver.sums().values()) == [0.0]


def test_hours_that_have_not_ended_or_lie_before_the_beginning_are_not_sent(tmp_path: Path) -> None:
    ledger = Ledger(None)
    current = NOW.replace(minute=0)
    begin = current - timedelta(days=10)
    hours = [begin - HOUR, begin, current - HOUR, current, current + HOUR]
    put(ledger, tmp_path, "a", *(charge("1", charge_period_start=hour) for hour in hours))
    box = outbox(ledger, since=NOW - timedelta(days=10))
    decide(box)
    assert [each.usage_hour for each in box.due(NOW, 10)] == [begin, current - HOUR]


def test_the_beginning_moves_back_only(tmp_path: Path) -> None:
    ledger = Ledger(None)
    put(ledger, tmp_path, "a", *(usage(24 * day, "1") for day in range(5)))
    outbox(ledger, since=START + timedelta(days=3))
    later = outbox(ledger, since=START + timedelta(days=9))
    assert decide(later) == 2
    assert decide(outbox(ledger, since=START)) == 3


@pytest.mark.slow
def test_charges_of_other_sources_do_not_count(tmp_path: Path) -> None:
    ledger = Ledger(None)
    put(ledger, tmp_path, "a", usage(0, "1"))
    put(ledger, tmp_path, "a", usage(0, "10"), source="bigquery")
    decide(outbox(ledger))
    assert [each.usd for each in outbox(ledger).due(NOW, 10)] == [Decimal(1)]


@pytest.mark.slow
def test_a_source_that_is_no_longer_configured_takes_nothing_back(tmp_path: Path) -> None:
    ledger, receiver = Ledger(None), Receiver()
    put(ledger, tmp_path, "a", usage(0, "1"), usage(1, "2"), source="bigquery")
    deliver_all(outbox(ledger, sources=["bigquery"]), receiver)
    assert decide(outbox(ledger)) == 0
    put(ledger, tmp_path, "b", usage(1, "2.5"))
    deliver_all(outbox(ledger), receiver)
    assert sorted(receiver.sums().values()) == [1.0, 2.5]
    ledger.retract("bigquery", "a")
    deliver_all(outbox(ledger), receiver)
    assert sorted(receiver.sums().values()) == [0.0, 2.5]


@pytest.mark.slow
def test_each_receiver_has_its_own_account(tmp_path: Path) -> None:
    ledger = Ledger(None)
    put(ledger, tmp_path, "a", usage(0, "1"))
    one, other = (Outbox(ledger, name, ["files"], START) for name in ("one", "other"))
    decide(one)
    one.acknowledge(one.due(NOW, 10))
    assert decide(one) == 0
    assert other.due(NOW, 10) == []
    assert decide(other) == 1


@pytest.mark.slow
def test_what_the_ledger_forgets_is_not_taken_back(tmp_path: Path) -> None:
    ledger, receiver = Ledger(None), Receiver()
    box = outbox(ledger)
    put(ledger, tmp_path, "a", usage(0, "1"), usage(100, "2"))
    deliver_all(box, receiver)
    ledger.forget_before(START + 50 * HOUR)
    box.forget_old()
    assert decide(box) == 0
    assert decide(outbox(ledger)) == 0


@pytest.mark.slow
def test_a_refused_sample_waits_longer_each_time_and_gets_a_chance_at_the_next_start(tmp_path: Path) -> None:
    ledger = Ledger(None)
    box = outbox(ledger)
    put(ledger, tmp_path, "a", usage(0, "1"))
    decide(box)
    now, waits = NOW, []
    for _ in range(MOST_REFUSALS):
        [sample] = box.due(now, 10)
        box.refuse([sample], now)
        assert box.count_waiting() == (0, 1)
        assert box.due(now, 10) == []
        began = now
        while not box.due(now, 10) and now < began + timedelta(days=30):
            now += HOUR
        waits.append((now - began) // HOUR)
    assert waits == [1, 4, 16, 64, 720]
    put(ledger, tmp_path, "a", usage(0, "3"))
    assert decide(box, now) == 0
    [again] = outbox(ledger).due(now, 10)
    assert (again.usd, again.revision) == (Decimal(1), 0)


def test_times_of_many_corrections_differ_and_stay_in_the_last_quarter_of_the_hour() -> None:
    stamps = [Queued(1, ("gcp",), START, revision, Decimal(1)).stamp_ms for revision in range(5000)]
    end = int((START + HOUR).timestamp()) * 1000
    assert len(set(stamps)) == len(stamps)
    assert max(stamps) == stamps[0] == end - 1000
    assert min(stamps) >= end - 15 * 60_000
    assert min(before - after for before, after in pairwise(stamps[:14])) == 60_000


Told = tuple[int, Decimal, str, str]
Step = tuple[str, *tuple[Any, ...]]


def usage_of(row: Told) -> Charge:
    hour, usd, project, category = row
    return usage(hour, str(usd), project, charge_category=category)


AMOUNTS = st.decimals(-1000, 1000, places=9)
PARTITION = st.lists(
    st.tuples(st.integers(0, 3), AMOUNTS, st.sampled_from(["p", "q"]), st.sampled_from(["usage", "credit"])),
    max_size=4,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(["a", "b"]), PARTITION),
        st.tuples(st.just("retract"), st.sampled_from(["a", "b"])),
        st.tuples(st.just("decide"), st.integers(1, 4)),
        st.tuples(st.just("deliver"), st.integers(1, 4)),
        st.tuples(st.just("deliver, and die before it is acknowledged"), st.integers(1, 4)),
        st.tuples(st.just("refuse"), st.integers(1, 2)),
        st.tuples(st.just("restart")),
    ),
    max_size=14,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_after_any_course_of_events_the_receiver_has_the_ledger_to_the_cent(
    steps: list[Step],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        ledger, receiver, folder = Ledger(None), Receiver(), Path(name)
        box = outbox(ledger)
        for what, *details in steps:
            batch = box.due(NOW, int(details[0])) if what.startswith(("deliver", "refuse")) else []
            if what == "put":
                put(ledger, folder, str(details[0]), *(usage_of(row) for row in details[1]))
            elif what == "retract":
                ledger.retract("files", details[0])
            elif what == "decide":
                decide(box, limit=int(details[0]))
            elif what == "refuse" and batch:
                box.refuse(batch, NOW)
            elif what.startswith("deliver") and batch:
                receiver.take(batch)
                if what == "deliver":
                    box.acknowledge(batch)
                else:
                    box = outbox(ledger)
            elif what == "restart":
                box = outbox(ledger)
        deliver_all(outbox(ledger), receiver)
        expected = {key: float(usd) for key, usd in billed(ledger).items()}
        reported = receiver.sums()
        assert expected.keys() <= reported.keys()
        assert reported == pytest.approx({**dict.fromkeys(reported, 0.0), **expected}, abs=1e-9)
        assert outbox(ledger).count_waiting() == (0, 0)
        ledger.close()
