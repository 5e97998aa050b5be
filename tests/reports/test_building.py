"""A report is what the charges add up to, exactly, and so is each of its tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.charges import Charge
from exporter.questions.problem import QuestionError
from exporter.questions.report_answer import Report
from exporter.questions.report_question import ReportParameters
from exporter.reports.period import read_period
from exporter.reports.reporting import Reports
from tests.support.charge_rows import HOUR, charge
from tests.support.question_world import NOW, VALUES, many_charges, zone_of
from tests.support.report_world import made, reported_ledger

PERIODS = [
    *(("month", name) for name in ("2026-10", "2026-11")),
    *(("week", f"2026-W{week}") for week in range(44, 48)),
    *(("day", f"2026-11-{day:02}") for day in (1, 2, 9)),
]


def summed(rows: list[Charge], first: date, end: date) -> Decimal | None:
    """Sum the charges of billing days from `first` to before `end`."""
    found = [
        row.billed_cost_usd or Decimal(0)
        for row in rows
        if first <= row.charge_period_start.astimezone(zone_of(row)).date() < end  # type: ignore[arg-type]
    ]
    return sum(found, Decimal(0)) if found else None


def decimal(amount: str | None) -> Decimal:
    return Decimal(amount or 0)


@pytest.mark.slow
@given(
    seed=st.integers(0, 10**6),
    asked=st.sampled_from(PERIODS),
    by=st.lists(
        st.sampled_from(sorted(set(VALUES) - {'label.te"am, x'})), min_size=1, max_size=3, unique=True
    ),
    top=st.integers(1, 5),
)
@settings(max_examples=25, deadline=None)
def test_the_total_is_the_sum_of_the_charges_and_of_every_table(
    seed: int, asked: tuple[str, str], by: list[str], top: int
) -> None:
    rows = many_charges(seed)
    with TemporaryDirectory() as folder:
        report = made(Path(folder), rows, by=",".join(by), top=top, **{asked[0]: asked[1]})
    first, end = date.fromisoformat(report.days.from_), date.fromisoformat(report.days.to)
    expected = summed(rows, first, end)
    assert (None if report.total is None else Decimal(report.total)) == expected
    assert sum((decimal(point.value) for point in report.points), Decimal(0)) == (expected or 0)
    assert [table.dimension for table in report.breakdowns] == by
    previous = decimal(report.previous.total) if report.previous else Decimal(0)
    for table in report.breakdowns:
        lines = [*table.rows, *([table.other] if table.other else [])]
        assert sum((decimal(line.total) for line in lines), Decimal(0)) == decimal(report.total)
        assert sum((decimal(line.previous) for line in lines), Decimal(0)) == previous
        assert sum((decimal(line.change) for line in lines), Decimal(0)) == decimal(report.total) - previous
        assert len(table.rows) <= top + 1
    causes = [*report.causes, *([report.other_causes] if report.other_causes else [])]
    assert sum((decimal(each.change) for each in causes), Decimal(0)) == decimal(report.total) - previous
    parts = report.parts.model_dump().values()
    assert sum((decimal(each) for each in parts), Decimal(0)) == decimal(report.total) - previous


ROWS = many_charges(3)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reports]:
    with reported_ledger(tmp_path_factory.mktemp("ledger"), ROWS) as found:
        yield found


def report(reports: Reports, **asked: object) -> Report:
    return reports.make(ReportParameters.model_validate(asked))


@pytest.mark.slow
def test_without_a_period_it_is_about_the_last_whole_month(reports: Reports) -> None:
    found = report(reports)
    assert (found.name, found.running, found.days.to) == ("2026-10", False, "2026-11-01")


@pytest.mark.slow
def test_a_month_that_runs_has_the_days_so_far_and_is_compared_with_as_many(reports: Reports) -> None:
    found = report(reports, month="2026-11")
    assert found.running
    assert not found.settled
    assert (found.days.title, found.days.to) == ("1 to 20 November 2026", "2026-11-21")
    assert found.previous is not None
    assert (found.previous.from_, found.previous.to) == ("2026-10-12", "2026-11-01")
    assert found.previous.partial


@pytest.mark.slow
def test_a_period_that_began_before_the_bill_is_partial(reports: Reports) -> None:
    assert report(reports, month="2026-10").partial
    assert not report(reports, week="2026-W45").partial


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"month": "2026-12"}, "month: 2026-12 has not begun; name one that has"),
        ({"day": "2026-11-21"}, "day: 2026-11-21 has not begun"),
        ({"month": "2026-09"}, "month: 2026-09 is over before the bill begins, 2026-10-29; name a later one"),
        ({"week": "2026-W44", "day": "2026-11-01"}, "day: is given together with week; give either"),
        ({"month": "2026-10", "by": "teem"}, "by: 'teem' is no dimension"),
        ({"month": "2026-10", "where": "x"}, "where: 'x' is no condition"),
    ],
)
def test_what_cannot_be_reported_is_refused(reports: Reports, asked: dict[str, str], text: str) -> None:
    with pytest.raises(QuestionError) as caught:
        report(reports, **asked)
    assert str(caught.value).startswith(text)


def test_without_a_bill_there_is_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="no bill has been read yet"):
        made(tmp_path, [])


@pytest.mark.slow
def test_budgets_of_a_past_period_are_used_by_its_charges(reports: Reports) -> None:
    found = {each.budget: each for each in report(reports, month="2026-10").budgets}
    assert sorted(found) == ["all", "shops"]
    first, end = date(2026, 10, 1), date(2026, 11, 1)
    assert Decimal(found["all"].used_usd) == summed(ROWS, first, end)
    shops = [row for row in ROWS if row.project_id.startswith("shop-")]
    assert Decimal(found["shops"].used_usd) == summed(shops, first, end)
    assert found["all"].partial
    assert [each.budget for each in report(reports, week="2026-W45").budgets] == ["week"]


@pytest.mark.slow
def test_a_report_on_a_part_has_no_figures_of_the_whole(reports: Reports) -> None:
    found = report(reports, month="2026-10", where="label.team:core")
    core = [row for row in ROWS if "core" in row.tags]
    assert Decimal(found.total or 0) == summed(core, date(2026, 10, 1), date(2026, 11, 1))
    assert found.where == "label.team:core"
    assert (found.budgets, found.savings, found.units, found.forecast) == ([], [], [], None)


@pytest.mark.slow
def test_a_year_earlier_is_there_where_the_ledger_has_it(tmp_path: Path) -> None:
    rows = [
        charge("7", charge_period_start=datetime(2025, 10, 31, 12, tzinfo=UTC)),
        charge("9", charge_period_start=datetime(2026, 10, 1, 12, tzinfo=UTC)),
    ]
    last_year = made(tmp_path, rows, month="2026-10").last_year
    assert last_year is not None
    assert (last_year.title, last_year.total, last_year.change) == ("October 2025", "7", "2")
    assert last_year.partial


@pytest.mark.slow
def test_prices_are_of_a_unit_that_people_know(tmp_path: Path) -> None:
    begin = datetime(2026, 10, 20, 12, tzinfo=UTC)
    rows = [
        charge(
            "6", charge_period_start=begin + hour * HOUR, consumed_quantity=7200.0, consumed_unit="seconds"
        )
        for hour in (0, 1)
    ]
    [price] = made(tmp_path, rows, month="2026-10").unit_prices
    assert (price.unit, price.quantity, price.usd_per_unit) == ("hour", 4.0, 3.0)
    assert price.previous_usd_per_unit is None


def test_the_periods_of_the_tests_are_periods() -> None:
    assert [read_period(kind, name).name for kind, name in PERIODS] == [name for _, name in PERIODS]  # type: ignore[arg-type]
    assert NOW.date() < date(2026, 11, 23)
