"""Each report is sent once per period, whatever fails, and however often the sender begins anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from exporter.questions.report_answer import Report
from exporter.questions.report_question import ReportParameters
from exporter.reports.delivery.destination import DeliveryError
from exporter.reports.delivery.schedule import Schedule
from exporter.reports.delivery.sender import ReportSender, Scheduled
from exporter.reports.delivery.sent import SentReports
from exporter.reports.delivery.status import DeliveryStatus
from tests.support.question_world import many_charges
from tests.support.report_world import made

BEGIN = datetime(2026, 11, 2, 12, tzinfo=UTC)
MONTHLY = Schedule("month", 3, time(8), "Europe/Berlin")
DUE = datetime(2026, 11, 3, 7, tzinfo=UTC)


class World:
    """A clock, a file, and a receiver that fails as often as it is told."""

    def __init__(self, folder: Path, report: Report) -> None:
        self.now = BEGIN
        self.file = folder / "spend.duckdb.reports.json"
        self.failures: list[Exception] = []
        self.sent: list[tuple[str, str]] = []
        self.asked: list[str | None] = []
        self.ready = True
        self.status = DeliveryStatus()
        self.woken = 0
        self._report = report
        self.kind = "mail"

    def send(self, name: str, report: Report) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((name, report.name))

    def check(self) -> str:
        return "works"

    def make(self, parameters: ReportParameters) -> Report:
        self.asked.append(parameters.month)
        return self._report.model_copy(update={"name": parameters.month})

    def sender(self) -> ReportSender:
        scheduled = Scheduled("monthly", MONTHLY, ReportParameters.model_validate({}), [self])
        return ReportSender(
            [scheduled],
            self.make,
            SentReports(self.file),
            clock=lambda: self.now,
            ready=lambda: self.ready,
            status=self.status,
            changed=self._wake,
        )

    def _wake(self) -> None:
        self.woken += 1

    def success(self) -> dict[tuple[str, ...], float]:
        [family] = self.status.families()
        return dict(family.samples)

    def goes_on(self, sender: ReportSender, until: datetime) -> None:
        while self.now < until:
            self.now += timedelta(minutes=1)
            sender.send_due()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return made(tmp_path_factory.mktemp("ledger"), many_charges(3), month="2026-10")


@pytest.fixture
def world(tmp_path: Path, report: Report) -> World:
    return World(tmp_path, report)


def test_a_report_is_due_on_its_day_at_its_time_in_its_zone() -> None:
    assert MONTHLY.latest_due(DUE - timedelta(seconds=1)).name == "2026-09"
    assert MONTHLY.latest_due(DUE).name == "2026-10"
    assert Schedule("day").latest_due(datetime(2026, 11, 3, 8, tzinfo=UTC)).name == "2026-11-02"
    assert Schedule("day").latest_due(datetime(2026, 11, 3, 7, 59, tzinfo=UTC)).name == "2026-11-01"
    assert Schedule("week").latest_due(datetime(2026, 11, 3, 8, tzinfo=UTC)).name == "2026-W44"
    assert Schedule("month", 27).latest_due(datetime(2026, 11, 3, 8, tzinfo=UTC)).name == "2026-09"


@pytest.mark.slow
def test_what_was_due_before_is_not_sent_and_what_becomes_due_is_sent_once(world: World) -> None:
    sender = world.sender()
    sender.send_due()
    assert world.sent == []
    world.goes_on(sender, DUE + timedelta(hours=2))
    assert world.sent == [("monthly", "2026-10")]
    world.goes_on(world.sender(), DUE + timedelta(hours=4))
    assert world.sent == [("monthly", "2026-10")]
    assert world.asked == ["2026-10"]


@pytest.mark.slow
def test_a_report_that_was_due_while_nothing_ran_is_sent_at_the_next_start(world: World) -> None:
    world.sender().send_due()
    world.now = datetime(2027, 2, 20, tzinfo=UTC)
    world.sender().send_due()
    assert world.sent == [("monthly", "2027-01")]


def test_a_failure_is_tried_again_after_longer_and_longer_times(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    sender = world.sender()
    sender.send_due()
    world.failures = [DeliveryError("it is away", transient=True) for _ in range(4)]
    tries = _tries(world, sender, DUE + timedelta(minutes=40))
    assert tries == [0, 1, 3, 7, 15]
    assert world.sent == [("monthly", "2026-10")]
    assert "report monthly: 2026-10 was not sent (mail): it is away; tried again in 2 minutes" in caplog.text


def test_a_refusal_for_good_is_tried_again_each_hour(world: World) -> None:
    sender = world.sender()
    sender.send_due()
    world.failures = [DeliveryError("wrong password", transient=False) for _ in range(2)]
    assert _tries(world, sender, DUE + timedelta(minutes=150)) == [0, 60, 120]


def test_whether_the_last_report_was_sent_is_a_metric(world: World) -> None:
    sender, key = world.sender(), ("monthly", "mail")
    assert world.success() == {}
    sender.send_due()
    assert world.success() == {key: 1.0}
    world.failures = [DeliveryError("it is away", transient=True) for _ in range(2)]
    world.goes_on(sender, DUE + timedelta(minutes=1))
    assert world.success() == {key: 0.0}
    world.goes_on(sender, DUE + timedelta(minutes=5))
    assert world.success() == {key: 1.0}
    # Each change, and nothing else, makes a new snapshot.
    assert world.woken == 3


def test_what_is_due_before_the_bills_were_read_is_neither_sent_nor_failed(world: World) -> None:
    world.sender().send_due()
    world.status, world.ready = DeliveryStatus(), False
    world.goes_on(world.sender(), DUE + timedelta(hours=1))
    assert world.success() == {("monthly", "mail"): 1.0}


def test_nothing_is_sent_before_the_bills_were_read(world: World) -> None:
    sender = world.sender()
    sender.send_due()
    world.ready = False
    world.goes_on(sender, DUE + timedelta(hours=1))
    assert world.sent == []
    world.ready = True
    sender.send_due()
    assert world.sent == [("monthly", "2026-10")]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"monthly/mail": 7}', '{"monthly/mail": {}}'])
def test_without_knowing_what_was_sent_nothing_is_sent(
    world: World, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.file.write_text(content)
    world.goes_on(world.sender(), DUE + timedelta(hours=1))
    assert world.sent == []
    assert "so no report is sent: nobody would know which ones were; repair it, or delete it" in caplog.text


def test_a_report_that_was_taken_but_not_remembered_is_sent_again(world: World) -> None:
    """At least once: the file is written after the report was taken."""
    sender = world.sender()
    sender.send_due()
    before = world.file.read_text()
    world.goes_on(sender, DUE)
    world.file.write_text(before)
    world.sender().send_due()
    assert world.sent == [("monthly", "2026-10")] * 2


def _tries(world: World, sender: ReportSender, until: datetime) -> list[int]:
    """Return at which minutes after it was due the report was made."""
    found = []
    look: Callable[[], int] = lambda: len(world.asked)  # noqa: E731
    while world.now < until:
        world.now += timedelta(minutes=1)
        before = look()
        sender.send_due()
        if look() > before:
            found.append(int((world.now - DUE) / timedelta(minutes=1)))
    return found
