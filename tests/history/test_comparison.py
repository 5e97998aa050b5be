"""What a store has lost is found, day by day, and sent again; the sums are then those of the ledger."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.history.remote_write import NotDelivered, Receiver
from exporter.history.sender import HistorySender
from exporter.history.store import Store
from exporter.ledger.charges.store import Ledger
from exporter.metrics.families import SPEND_HOURLY_USD
from exporter.metrics.remote_write import remote_write_families
from tests.fakes.query_api import QueryApi, query_api
from tests.fakes.remote_receiver import RemoteReceiver
from tests.support.charge_rows import HOUR, charge, put

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
START = datetime(2026, 11, 17, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class World:
    ledger: Ledger
    folder: Path
    server: RemoteReceiver
    api: QueryApi
    now: datetime = NOW

    def bill(self, usd: str = "1") -> None:
        charges = [charge(usd, charge_period_start=START + hour * HOUR) for hour in range(72)]
        put(self.ledger, self.folder, "a", *charges)

    def sender(self, zones: dict[str, str] | None = None) -> HistorySender:
        receiver = Receiver(self.server.url)
        return HistorySender(
            self.ledger,
            receiver,
            ["files"],
            since=timedelta(days=31),
            clock=lambda: self.now,
            store=Store(self.api.url, receiver),
            zones=zones,
        )

    def lose(self, *hours: int) -> None:
        lost = {int((START + hour * HOUR).timestamp() + 3599) * 1000 for hour in hours}
        for key in [key for key in self.server.stored if key[1] in lost]:
            del self.server.stored[key]

    @property
    def total(self) -> float:
        return sum(self.server.stored.values())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    ledger = Ledger(None)
    with RemoteReceiver() as server, query_api(server) as api:
        yield World(ledger, tmp_path, server, api)
    ledger.close()


def shown(sender: HistorySender) -> dict[str, float]:
    return {
        each.family.name.removeprefix("spend_remote_write_"): value
        for each in remote_write_families(sender.status)
        for _, value in each.samples
    }


@pytest.mark.slow
def test_a_store_that_has_everything_is_off_by_nothing(world: World) -> None:
    world.bill()
    sender = world.sender()
    sender.send()
    assert sender.status.difference_usd is None
    sender.send()
    assert (sender.status.difference_usd, sender.status.compared_at) == (0.0, NOW)
    assert shown(sender)["difference_usd"] == 0.0
    assert shown(sender)["compared_timestamp_seconds"] == NOW.timestamp()
    assert sender.compare() == []


@pytest.mark.slow
def test_what_a_store_lost_is_found_once_a_day(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.bill("2.5")
    sender = world.sender()
    sender.send()
    sender.send()
    asked = len(world.api.asked)
    world.lose(3, 4, 30)
    sender.send()
    assert len(world.api.asked) == asked
    world.now += DAY
    with caplog.at_level(logging.WARNING):
        sender.send()
        sender.send()
    assert sender.status.difference_usd == 7.5
    assert len(caplog.messages) == 1
    assert "$7.50 off what it acknowledged, since 2026-11-17" in caplog.text
    [first, second] = sender.compare()
    assert (first.day, first.sent_usd, first.stored_usd) == (START, 60.0, 55.0)
    assert (second.day, second.usd) == (START + DAY, 2.5)


@pytest.mark.slow
def test_what_is_missing_since_a_day_is_sent_again_and_the_sums_are_right(world: World) -> None:
    world.bill("2.5")
    world.sender().send()
    world.bill("2")
    world.sender().send()
    assert world.total == 144
    world.lose(3, 4, 30)
    assert world.total == 144 - 7.5
    sender = world.sender()
    # Of the 17th nothing is asked for.
    assert sender.resend_since(START + DAY) == (1, 2.5)
    sender.send()
    assert world.total == 144 - 5
    assert sender.resend_since(START) == (2, 5.0)
    sender.send()
    assert world.total == 144
    assert world.server.conflicts == []
    assert sender.resend_since(START) == (0, 0)
    assert sender.compare() == []


@pytest.mark.slow
def test_a_restatement_after_that_is_right_too(world: World) -> None:
    world.bill("2.5")
    sender = world.sender()
    sender.send()
    world.lose(*range(72))
    assert sender.resend_since(START) == (72, 180.0)
    world.bill("3")
    sender.send()
    assert world.total == 216
    world.bill("1")
    sender.send()
    assert world.total == 72
    assert world.server.conflicts == []


@pytest.mark.slow
def test_a_billing_day_that_was_lost_is_found_and_sent_again_and_its_dollars_count_once(world: World) -> None:
    world.bill("2")
    sender = world.sender({"gcp": "America/Los_Angeles"})
    sender.send()
    assert world.total == 2 * 144
    world.lose(3)
    noon = int((START + DAY / 2).timestamp()) * 1000
    [lost] = [key for key in world.server.stored if key[1] == noon]
    assert dict(lost[0])["__name__"] == "spend_daily_usd"
    assert world.server.stored.pop(lost) == 48
    sender.send()
    # Of the hours 2 dollars are missing, of the days 48: the same bill is off by 48, not by 50.
    assert sender.status.difference_usd == 48
    assert {(each.family.name, each.usd) for each in sender.compare()} == {
        ("spend_hourly_usd", 2.0),
        ("spend_daily_usd", 48.0),
    }
    assert sender.resend_since(START) == (2, 48.0)
    sender.send()
    assert sender.compare() == []
    assert world.total == 2 * 144
    assert world.server.conflicts == []


@pytest.mark.slow
def test_a_store_that_cannot_be_queried_holds_up_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.bill()
    sender = world.sender()
    sender.send()
    world.api.status = 404
    world.bill("2")
    assert sender.send() is None
    assert world.total == 144
    assert sender.status.failures == {"store": 1}
    assert sender.status.difference_usd is None
    assert "history.remote_write.query_url" in caplog.text
    assert "answers HTTP 404" in caplog.text
    with pytest.raises(NotDelivered, match="404"):
        sender.compare()


@pytest.mark.slow
def test_the_query_names_every_label_of_the_series(world: World) -> None:
    world.bill()
    sender = world.sender()
    sender.send()
    sender.compare()
    [label_list] = re.findall(r"by \((.*?)\)", world.api.asked[0]["query"])
    assert label_list.split(", ") == list(SPEND_HOURLY_USD.labels)
