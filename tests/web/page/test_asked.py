"""What the page asks of the ledger: once per snapshot, not too often, and never in the way of the page."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.ledger.charges.windows import LedgerView
from exporter.ledger.opening import LedgerError
from exporter.questions.asking import Questions
from exporter.web.page.asked import Asked, AskedOnce
from tests.support.exposed import DEADLINE_SECONDS
from tests.support.page_world import NOW, evil_ledger
from tests.support.question_world import ZONES, asked_ledger, dimensions, many_charges


def answers(questions: Questions | None, *snapshots: str) -> list[Asked | None]:
    async def found() -> list[Asked | None]:
        once = AskedOnce(questions)
        try:
            return [
                await once.answers(NOW + timedelta(minutes=at), wait_seconds=DEADLINE_SECONDS)
                for at, _ in enumerate(snapshots)
            ]
        finally:
            once.close()

    return asyncio.run(found())


@pytest.mark.slow
def test_days_services_and_changes_are_asked(tmp_path: Path) -> None:
    with evil_ledger(tmp_path) as questions:
        [asked] = answers(questions, "one")
    assert asked is not None
    assert len(asked.costs.points) == 45
    assert asked.settled_to == date(2026, 11, 8)
    assert asked.changes is not None
    assert (asked.changes.from_, asked.changes.to) == ("2026-11-01", "2026-11-08")
    causes = [*asked.changes.causes, *([asked.changes.other] if asked.changes.other else [])]
    assert sum(Decimal(each.change) for each in causes) == Decimal(asked.changes.change)


@pytest.mark.slow
def test_a_bill_of_fewer_than_two_settled_weeks_has_no_changes(tmp_path: Path) -> None:
    with asked_ledger(tmp_path, many_charges(5)) as questions:
        [asked] = answers(questions, "one")
    assert asked is not None
    assert asked.changes is None


def test_an_empty_ledger_has_no_days(tmp_path: Path) -> None:
    with asked_ledger(tmp_path, []) as questions:
        [asked] = answers(questions, "one")
    assert asked is not None
    assert asked.settled_to is None
    assert {point.value for point in asked.costs.points} == {None}


@pytest.mark.slow
def test_the_next_snapshot_waits_until_the_thread_has_rested(tmp_path: Path) -> None:
    with evil_ledger(tmp_path) as questions:
        first, second = answers(questions, "one", "two")
    assert first is not None
    assert first is second


def test_a_ledger_that_cannot_be_read_leaves_the_page_without_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @contextmanager
    def broken() -> Iterator[LedgerView]:
        raise LedgerError("disk_full", "the disk is full")
        yield

    assert answers(Questions(broken, dimensions(), ZONES, clock=lambda: NOW), "one") == [None]
    assert "the disk is full" in caplog.text


def test_without_questions_there_are_no_answers() -> None:
    assert answers(None, "one") == [None]


@pytest.mark.slow
def test_a_page_does_not_wait_for_answers_that_take_long(tmp_path: Path) -> None:
    async def first() -> Asked | None:
        with evil_ledger(tmp_path) as questions:
            once = AskedOnce(questions)
            early = await once.answers(NOW, wait_seconds=0)
            assert await once.answers(NOW, wait_seconds=DEADLINE_SECONDS) is not None
            once.close()
            return early

    assert asyncio.run(first()) is None
