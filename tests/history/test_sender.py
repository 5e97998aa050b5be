"""Billed costs reach a receiver also after failures, and refused samples are reported."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.history.remote_write import Receiver
from exporter.history.sender import HistorySender
from exporter.ledger.charges.store import Ledger
from exporter.metrics.remote_write import remote_write_families
from tests.fakes.remote_receiver import Answer, RemoteReceiver, Written
from tests.support.charge_rows import HOUR, charge, put
from tests.support.exposed import DEADLINE_SECONDS, until

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
START = datetime(2026, 11, 10, tzinfo=UTC)


@dataclass
class World:
    ledger: Ledger
    folder: Path
    server: RemoteReceiver
    now: datetime = NOW

    def bill(self, hours: int, usd: str = "1", partition: str = "a", service: str = "BigQuery") -> None:
        charges = [
            charge(usd, charge_period_start=START + hour * HOUR, service_name=service)
            for hour in range(hours)
        ]
        put(self.ledger, self.folder, partition, *charges)

    def sender(self, batch_samples: int = 100, **more: float) -> HistorySender:
        receiver = Receiver(self.server.url, **more)  # type: ignore[arg-type]
        return HistorySender(
            self.ledger,
            receiver,
            ["files"],
            since=timedelta(days=31),
            clock=lambda: self.now,
            chance=random.Random(1),
            batch_samples=batch_samples,
        )

    @property
    def total(self) -> float:
        return sum(self.server.stored.values())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    ledger = Ledger(None)
    with RemoteReceiver() as server:
        yield World(ledger, tmp_path, server)
    ledger.close()


@contextmanager
def running(sender: HistorySender) -> Iterator[threading.Event]:
    changed = threading.Event()
    thread = threading.Thread(target=sender.run, args=(changed.set,))
    thread.start()
    try:
        yield changed
    finally:
        sender.stop()
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


def first(answers: list[Answer]) -> Callable[[Written], Answer]:
    """These answers, one each, then good ones."""
    return lambda _: answers.pop(0) if answers else Answer()


def test_all_is_sent_in_bounded_requests_and_nothing_is_sent_again(world: World) -> None:
    world.bill(230)
    sender = world.sender()
    assert sender.send() is None
    sent = [len(request) for request in world.server.requests]
    assert (sum(sent), max(sent)) == (230, 100)
    assert world.total == 230
    assert sender.send() is None
    assert len(world.server.requests) == len(sent)
    assert sender.status.acknowledged == 230
    assert sender.status.pending == 0
    assert sender.status.sent_through == NOW


def test_an_empty_label_is_left_out(world: World) -> None:
    world.bill(1, service="")
    world.sender().send()
    [[(labels, _, _)]] = world.server.requests
    assert [name for name, _ in labels] == ["__name__", "charge_category", "project_id", "provider"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, headers={"Retry-After": "1"}, stores=False),
        Answer(500, b"overloaded", stores=False),
        Answer(503, b"stored, but answered with an error"),
        Answer(hangs_up=True),
    ],
    ids=lambda answer: f"{answer.status}{' hangs up' * answer.hangs_up}",
)
def test_what_fails_for_a_moment_is_sent_again_with_the_same_values(world: World, answer: Answer) -> None:
    world.bill(3)
    world.server.answer = first([answer])
    sender = world.sender()
    assert sender.send() is None
    assert world.server.requests[0] == world.server.requests[1]
    assert world.total == 3
    assert world.server.conflicts == []
    reason = "rate_limited" if answer.status == 429 else "unavailable"
    assert sender.status.failures == {reason: 1}


def test_a_receiver_that_asks_for_minutes_gets_them(world: World) -> None:
    world.bill(3)
    world.server.answer = first([Answer(429, headers={"Retry-After": "600"}, stores=False)])
    sender = world.sender()
    assert sender.send() == 600
    assert len(world.server.requests) == 1
    assert (sender.status.pending, sender.status.sent_through) == (3, None)
    assert sender.send() is None
    assert world.total == 3


@pytest.mark.slow
def test_a_slow_receiver_that_stored_it_all_the_same_has_it_once(world: World) -> None:
    world.bill(3)
    late = threading.Event()
    answers = [Answer(waits_for=late)]
    world.server.answer = first(answers)
    sender = world.sender(timeout_seconds=2)
    assert sender.send() is None
    late.set()
    until(lambda: len(world.server.stored) == 3, "the late request")
    assert world.total == 3
    assert sender.status.failures == {"timeout": 1}


@pytest.mark.parametrize("status", [401, 404])
def test_what_is_set_up_wrongly_is_reported_and_loses_nothing(
    world: World, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    world.bill(3)
    world.server.answer = first([Answer(status, b"who are you?", stores=False)] * 2)
    sender = world.sender()
    assert sender.send() == 0
    assert sender.send() == 0
    assert caplog.text.count("who are you?") == 1
    assert sender.status.pending == 3
    assert sender.send() is None
    assert world.total == 3


def test_refused_samples_are_found_and_the_others_arrive(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.bill(64)
    bad = {int((START + hour * HOUR).timestamp() + 3599) * 1000 for hour in (5, 40)}
    world.server.answer = lambda written: (
        Answer(400, b"label is too long", stores=False)
        if any(time in bad for _, time, _ in written)
        else Answer()
    )
    sender = world.sender()
    with caplog.at_level(logging.WARNING):
        assert sender.send() is None
    assert world.total == 62
    assert (sender.status.refused, sender.status.failures) == (2, {"refused": 2})
    assert caplog.text.count("label is too long") == 1
    asked = len(world.server.requests)
    assert sender.send() is None
    assert len(world.server.requests) == asked
    world.server.answer = lambda _: Answer()
    world.now += HOUR
    assert sender.send() is None
    assert world.total == 64
    assert sender.status.refused == 0


@pytest.mark.parametrize(
    "words",
    [
        b"out of bounds: timestamp is too far in the future",
        b"received a sample whose timestamp is too far in the future (err-mimir-too-far-in-future)",
    ],
)
def test_hours_ahead_of_the_receivers_clock_hold_up_no_others(
    world: World, caplog: pytest.LogCaptureFixture, words: bytes
) -> None:
    world.bill(240)
    clock = int((START + 200 * HOUR).timestamp() * 1000)
    world.server.answer = lambda written: (
        Answer(400, words, stores=False) if any(time > clock for _, time, _ in written) else Answer()
    )
    sender = world.sender()
    assert sender.send() is None
    assert world.total == 200
    assert sender.status.refused == 40
    assert len(world.server.requests) < 20
    assert "compare the clocks" in caplog.text
    assert "out_of_order_time_window" not in caplog.text


def test_one_trouble_is_reported_once_however_many_rounds_it_lasts(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.bill(3)
    world.server.answer = first([Answer(429, headers={"Retry-After": "600"}, stores=False)] * 4)
    sender = world.sender()
    with caplog.at_level(logging.INFO):
        assert [sender.send() for _ in range(4)] == [600] * 4
        assert [record.levelname for record in caplog.records].count("WARNING") == 1
        assert sender.send() is None
    assert caplog.messages[-1] == "history.remote_write: all hourly costs are sent"


@pytest.mark.parametrize("status", [500, 400])
def test_a_window_that_is_too_small_costs_few_requests_and_names_the_setting(
    world: World, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    world.bill(240)
    oldest = int((START + 200 * HOUR).timestamp() * 1000)
    world.server.answer = lambda written: (
        Answer(status, b"too old sample", stores=False)
        if any(time < oldest for _, time, _ in written)
        else Answer()
    )
    sender = world.sender()
    assert sender.send() is None
    assert world.total == 40
    assert sender.status.refused == 200
    assert len(world.server.requests) < 40
    assert "out_of_order_time_window" in caplog.text


def test_restatements_while_it_is_down_become_one_correction(world: World) -> None:
    world.bill(3)
    sender = world.sender()
    sender.send()
    world.server.answer = lambda _: Answer(429, headers={"Retry-After": "99"}, stores=False)
    for usd in ("2", "0.5", "7"):
        world.bill(3, usd)
        assert sender.send() == 99
    world.server.answer = lambda _: Answer()
    assert sender.send() is None
    assert world.total == 21
    assert world.server.conflicts == []
    assert len(world.server.stored) <= 9


def test_its_thread_sends_when_woken_and_ends_when_stopped(world: World) -> None:
    world.bill(2)
    sender = world.sender()
    with running(sender) as changed:
        sender.wake()
        until(lambda: world.total == 2, "the first hours")
        until(changed.is_set, "the news")
        world.bill(4)
        sender.wake()
        until(lambda: world.total == 4, "further hours")


def test_it_ends_while_the_receiver_is_down(world: World) -> None:
    world.bill(2)
    world.server.answer = lambda _: Answer(503, stores=False)
    sender = world.sender()
    with running(sender):
        sender.wake()
        until(lambda: sender.status.failures, "a failure")


def test_a_ledger_that_may_not_be_written_is_reported(world: World, tmp_path: Path) -> None:
    path = tmp_path / "spend.duckdb"
    Ledger(path).close()
    ledger = Ledger(path)
    ledger.file.read_only = True
    sender = HistorySender(ledger, Receiver(world.server.url), ["files"], since=timedelta(days=31))
    assert sender.send() == 0
    assert sender.status.failures == {"ledger_read_only": 1}
    ledger.close()


def test_its_metrics_say_how_it_is_doing(world: World) -> None:
    world.bill(3)
    sender = world.sender()
    assert dict(remote_write_families(sender.status)[-1].samples) == {}
    world.server.answer = first([Answer(500, stores=False)])
    sender.send()
    families = remote_write_families(sender.status)
    reported = {each.family.name: dict(each.samples) for each in families}
    assert reported == {
        "spend_remote_write_samples_total": {(): 3.0},
        "spend_remote_write_failures_total": {("unavailable",): 1.0},
        "spend_remote_write_pending_samples": {(): 0.0},
        "spend_remote_write_refused_samples": {(): 0.0},
        "spend_remote_write_difference_usd": {},
        "spend_remote_write_compared_timestamp_seconds": {},
        "spend_remote_write_sent_through_timestamp_seconds": {(): NOW.timestamp()},
    }
