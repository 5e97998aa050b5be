"""Parts of a snapshot: one that fails is reported, keeps its last result for the hour, costs no other."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import count

import duckdb
import pytest

from exporter.metrics.outcomes import Outcomes

HOUR = datetime(2026, 11, 10, 20, tzinfo=UTC)


def broken() -> list[str]:
    raise ZeroDivisionError("a defect")


@pytest.fixture
def outcomes() -> Outcomes:
    seconds = count(0.0, 0.5)
    return Outcomes(lambda: next(seconds))


def shown(outcomes: Outcomes) -> dict[str, dict[tuple[str, ...], float]]:
    return {each.family.name: dict(each.samples) for each in outcomes.families()}


def test_what_could_be_computed_is_1_with_its_duration(outcomes: Outcomes) -> None:
    assert outcomes.compute("savings", lambda: ["a"], []) == ["a"]
    assert shown(outcomes) == {
        "spend_figure_success": {("savings",): 1.0},
        "spend_figure_duration_seconds": {("savings",): 0.5},
    }
    assert outcomes.failed == ()


@pytest.mark.slow
def test_a_query_that_the_end_of_the_exporter_interrupts_is_no_failed_figure(
    outcomes: Outcomes, caplog: pytest.LogCaptureFixture
) -> None:
    def long_query() -> list[str]:
        with duckdb.connect() as connection:
            threading.Timer(0.2, connection.interrupt).start()
            connection.execute("SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b").fetchall()
        return []

    with pytest.raises(duckdb.InterruptException):
        outcomes.compute("savings", long_query, [])
    assert outcomes.failed == ()
    assert caplog.text == ""


def test_what_failed_is_0_and_logged_with_its_cause(
    outcomes: Outcomes, caplog: pytest.LogCaptureFixture
) -> None:
    assert outcomes.compute("savings", broken, ["nothing"]) == ["nothing"]
    assert shown(outcomes)["spend_figure_success"] == {("savings",): 0.0}
    assert outcomes.failed == ("savings",)
    assert "the figure savings could not be computed" in caplog.text
    assert "a defect" in caplog.text


def test_the_last_good_result_stays_for_its_hour_and_no_longer(outcomes: Outcomes) -> None:
    assert outcomes.compute("budgets", lambda: ["good"], [], hour=HOUR) == ["good"]
    assert outcomes.compute("budgets", broken, [], hour=HOUR) == ["good"]
    assert outcomes.failed == ("budgets",)
    assert outcomes.compute("budgets", broken, [], hour=HOUR + timedelta(hours=1)) == []


def test_a_figure_that_recovers_is_1_again(outcomes: Outcomes) -> None:
    outcomes.compute("budgets", broken, [], hour=HOUR)
    outcomes.compute("budgets", lambda: ["good"], [], hour=HOUR)
    assert shown(outcomes)["spend_figure_success"] == {("budgets",): 1.0}


def test_without_an_hour_no_earlier_result_is_used(outcomes: Outcomes) -> None:
    outcomes.compute("budgets", lambda: ["good"], [], hour=HOUR)
    assert outcomes.compute("budgets", broken, ["nothing"]) == ["nothing"]


def test_the_last_duration_is_known_and_0_before_the_first(outcomes: Outcomes) -> None:
    assert outcomes.seconds("savings") == 0.0
    outcomes.compute("savings", lambda: ["a"], [])
    assert outcomes.seconds("savings") == 0.5


def test_what_was_computed_elsewhere_is_shown_as_it_ended(outcomes: Outcomes) -> None:
    outcomes.note("bill", success=False, seconds=2.5)
    assert shown(outcomes) == {
        "spend_figure_success": {("bill",): 0.0},
        "spend_figure_duration_seconds": {("bill",): 2.5},
    }
    assert outcomes.failed == ("bill",)
