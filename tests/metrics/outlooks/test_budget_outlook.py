"""Budgets from a real ledger: what counts, in which period, and that the parts sum to their totals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.analysis.bill.attribution import Attribution, Match, Rule
from exporter.core.charges import Charge, tags_text
from exporter.core.cost_cells import NANO
from exporter.ledger.charges.bill_begins import bill_begins
from exporter.ledger.charges.store import Ledger
from exporter.metrics.budgets import budget_families
from exporter.metrics.outlooks.budget import Budget, BudgetRules, Threshold
from exporter.metrics.outlooks.budget_coverage import budgets_covered_from
from exporter.metrics.outlooks.budget_outlook import Budgeting, BudgetOutlook
from exporter.metrics.outlooks.nowcast import Nowcasting
from exporter.metrics.outlooks.outlook import Outlook
from tests.support.charge_rows import HOUR, charge, put
from tests.support.outlooks import DAY_BEGINS, outlook, steady

PACIFIC = "America/Los_Angeles"
ZONES = {"gcp": PACIFIC, "openai": "UTC"}
NOW = DAY_BEGINS + timedelta(hours=10, minutes=30)
MONTH_BEGINS = datetime(2026, 11, 1, 7, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = Attribution([Rule("ml", Match(labels={"team": ("research",)}), "ml")])
EVERYTHING = Budget("all", "month", Decimal(1000))


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def made(
    ledger: Ledger, *budgets: Budget, estimates: Sequence[Outlook] = (), now: datetime = NOW
) -> list[BudgetOutlook]:
    with ledger.view(["files"]) as view:
        return Budgeting().outlooks(view, now, ZONES, estimates, BudgetRules(budgets, RULES))


def billed(ledger: Ledger, budget: Budget, now: datetime = NOW) -> Decimal:
    [found] = made(ledger, budget, now=now)
    return sum(found.billed_usd.values(), Decimal(0))


def used(ledger: Ledger, budget: Budget, *estimates: Outlook, now: datetime = NOW) -> Decimal:
    [found] = made(ledger, budget, estimates=estimates, now=now)
    state = found.state(now)
    assert state is not None
    return state.used_usd


def at(when: datetime, usd: str, **changes: object) -> Charge:
    return charge(usd, charge_period_start=when, **changes)


def gpt(when: datetime, usd: str, model: str = "gpt-4o") -> Charge:
    return at(
        when,
        usd,
        provider="openai",
        service_id="openai-api",
        service_name="OpenAI API",
        sku_id=f"{model}/input",
        project_id="proj_1",
    )


@pytest.mark.slow
def test_a_month_begins_and_ends_in_the_billing_zone(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", at(MONTH_BEGINS - HOUR, "1"), at(MONTH_BEGINS, "2"), at(NOW - 5 * HOUR, "4"))
    put(ledger, tmp_path, "b", at(datetime(2026, 12, 1, 7, tzinfo=UTC), "8"))
    put(ledger, tmp_path, "c", at(datetime(2026, 12, 1, 8, tzinfo=UTC), "16"))
    budget = Budget("gcp", "month", Decimal(100), Match(providers=("gcp",)))
    assert billed(ledger, budget) == 14
    assert billed(ledger, budget, datetime(2026, 12, 1, 7, 59, tzinfo=UTC)) == 14
    assert billed(ledger, budget, datetime(2026, 12, 1, 8, tzinfo=UTC)) == 16
    assert billed(ledger, Budget("other", "month", Decimal(1), timezone="UTC")) == 7


def test_a_budget_of_several_providers_has_days_in_utc_unless_it_names_a_zone(
    ledger: Ledger, tmp_path: Path
) -> None:
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    put(ledger, tmp_path, "a", gpt(midnight, "1"), at(midnight, "2"), at(midnight - HOUR, "4"))
    assert billed(ledger, Budget("all", "day", Decimal(9))) == 3
    assert billed(ledger, Budget("all", "day", Decimal(9), timezone=PACIFIC)) == 0
    assert billed(ledger, Budget("one", "day", Decimal(9), Match(providers=("OpenAI",)))) == 1


@pytest.mark.slow
def test_a_month_of_several_providers_is_what_each_of_them_calls_that_month(
    ledger: Ledger, tmp_path: Path
) -> None:
    first = datetime(2026, 11, 1, tzinfo=UTC)
    put(ledger, tmp_path, "a", gpt(first, "1"), gpt(first - HOUR, "2"))
    put(ledger, tmp_path, "b", at(first, "4"), at(MONTH_BEGINS - HOUR, "8"), at(MONTH_BEGINS, "16"))
    assert billed(ledger, Budget("all", "month", Decimal(99))) == 17
    assert billed(ledger, Budget("all", "month", Decimal(99), timezone="UTC")) == 29
    assert billed(ledger, Budget("all", "week", Decimal(99)), MONTH_BEGINS) == 31


def test_in_the_hours_between_two_midnights_nothing_of_the_old_month_is_in_the_new_one(
    ledger: Ledger, tmp_path: Path
) -> None:
    between = datetime(2026, 12, 1, 3, tzinfo=UTC)
    put(ledger, tmp_path, "a", at(between - HOUR, "4"), gpt(between.replace(hour=0), "1"))
    assert billed(ledger, Budget("all", "month", Decimal(99)), between) == 1


@pytest.mark.parametrize(
    ("budget", "usd"),
    [
        (EVERYTHING, 31),
        (Budget("a", "month", Decimal(1), Match(providers=("gcp",))), 23),
        (Budget("a", "month", Decimal(1), Match(projects=("shop-*",))), 7),
        (Budget("a", "month", Decimal(1), Match(services=("OpenAI API",))), 8),
        (Budget("a", "month", Decimal(1), Match(models=("gpt-4*",))), 8),
        (Budget("a", "month", Decimal(1), Match(labels={"team": ("research",)})), 2),
        (Budget("a", "month", Decimal(1), categories=("ml",)), 2),
        (Budget("a", "month", Decimal(1), categories=("unattributed", "ml")), 31),
        (Budget("a", "month", Decimal(1), Match(labels={"team": ("*",)}), categories=("unattributed",)), 4),
        (Budget("a", "month", Decimal(1), Match(projects=("nobody",))), 0),
    ],
)
def test_a_budget_counts_what_it_matches_by_any_kind(
    ledger: Ledger, tmp_path: Path, budget: Budget, usd: int
) -> None:
    when = NOW - 3 * DAY
    put(
        ledger,
        tmp_path,
        "a",
        at(when, "1"),
        at(when, "2", tags=tags_text({"label:team": "research"})),
        at(when, "4", tags=tags_text({"label:team": "sales"})),
        at(when, "16", project_id="other"),
        gpt(when, "8"),
    )
    assert billed(ledger, budget) == usd


def test_credits_are_counted_or_not_as_the_budget_says(ledger: Ledger, tmp_path: Path) -> None:
    put(
        ledger,
        tmp_path,
        "a",
        at(NOW - DAY, "10"),
        at(NOW - DAY, "-4", charge_category="credit"),
        at(NOW - DAY, "1", charge_category="tax"),
    )
    gross = Budget("gross", "month", Decimal(100), with_credits=False)
    net, without = made(ledger, EVERYTHING, gross)
    assert net.billed_usd == {("gcp", "Compute Engine"): 7}
    assert without.billed_usd == {("gcp", "Compute Engine"): 11}


def test_a_day_of_credits_alone_leaves_more_than_the_limit(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", at(NOW - HOUR, "-25", charge_category="credit"))
    [found] = made(ledger, Budget("day", "day", Decimal(100), Match(providers=("gcp",))))
    state = found.state(NOW)
    assert state is not None
    assert state.used_usd == -25
    assert state.remaining_usd == 125
    assert state.used_ratio == -0.25
    assert state.exhausted_at is None
    [gross] = made(ledger, Budget("day", "day", Decimal(100), with_credits=False, timezone=PACIFIC))
    assert sum(gross.billed_usd.values()) == 0


@pytest.mark.slow
def test_a_bill_that_takes_something_back_lowers_what_is_used(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", at(NOW - DAY, "80"))
    budgeting, rules = Budgeting(), BudgetRules((EVERYTHING,))
    found = []
    for usd in ("80", "30"):
        put(ledger, tmp_path, "a", at(NOW - DAY, usd))
        with ledger.view(["files"]) as view:
            [each] = budgeting.outlooks(view, NOW, ZONES, (), rules)
        state = each.state(NOW)
        assert state is not None
        found.append(state.used_usd)
    assert found == [80, 30]


@pytest.mark.slow
def test_a_day_counts_todays_estimate_and_a_month_what_is_unbilled_before_it_too(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(ledger, tmp_path, "a", at(NOW - 5 * DAY, "100"))
    estimate = outlook({"Compute Engine": steady(2.0, billed_hours=4)})
    gcp = Match(providers=("gcp",))
    # Six whole hours and a half are not billed yet; what is billed comes from the ledger alone.
    assert used(ledger, Budget("day", "day", Decimal(9), gcp), estimate) == 13
    assert used(ledger, Budget("month", "month", Decimal(9), gcp), estimate) == 113
    tomorrow = NOW + DAY
    assert used(ledger, Budget("day", "day", Decimal(9), gcp), estimate, now=tomorrow) == 21
    assert used(ledger, Budget("month", "month", Decimal(9), gcp), estimate, now=tomorrow) == 100 + 61


@pytest.mark.slow
def test_an_estimate_is_shared_by_what_the_budget_had_of_the_services_last_dollars(
    ledger: Ledger, tmp_path: Path
) -> None:
    put(
        ledger,
        tmp_path,
        "a",
        at(NOW - 3 * DAY, "30"),
        at(NOW - 3 * DAY, "10", project_id="lab"),
        at(NOW - 3 * DAY, "-8", charge_category="credit"),
        at(NOW - 20 * DAY, "500", project_id="lab"),
    )
    estimate = outlook({"Compute Engine": steady(2.0), "BigQuery": steady(1.0)})
    lab = Match(projects=("lab",))
    day = Budget("lab", "day", Decimal(9), lab, timezone=PACIFIC)
    [found] = made(ledger, day, estimates=[estimate])
    assert found.shares == {("gcp", "Compute Engine"): 10 / 32, ("gcp", "BigQuery"): 0.0}
    assert used(ledger, day, estimate) == Decimal(13) * 10 / 32
    whole = Budget("gcp", "day", Decimal(9), Match(providers=("gcp",)))
    [found] = made(ledger, whole, estimates=[estimate])
    assert set(found.shares.values()) == {1.0}
    gross = Budget("gross", "day", Decimal(9), Match(providers=("gcp",)), with_credits=False)
    [found] = made(ledger, gross, estimates=[estimate])
    assert found.shares["gcp", "Compute Engine"] == 40 / 32


def test_a_provider_without_a_bill_counts_by_its_name_and_that_of_its_service(ledger: Ledger) -> None:
    estimate = outlook({"LLM API": steady(1.0, billed_hours=0)}, provider="mistral")
    for match in (Match(), Match(providers=("mistral",)), Match(services=("LLM API",))):
        assert used(ledger, Budget("a", "day", Decimal(9), match, timezone=PACIFIC), estimate) > 10
    assert (
        made(ledger, Budget("a", "day", Decimal(9), Match(providers=("gcp",))), estimates=[estimate])[
            0
        ].state(NOW)
        is None
    )
    by_project = Budget("a", "day", Decimal(9), Match(projects=("x",)))
    assert used(ledger, by_project, estimate) == 0


def test_a_daily_bill_counts_whole_days_in_the_period_that_they_begin_in(ledger: Ledger) -> None:
    estimate = outlook({"OpenAI API": steady(1.0, billed_hours=0)}, provider="openai")
    # The estimate's days begin at 08:00 UTC; a period that began at 09:00 has none of today's.
    late = Budget("late", "custom", Decimal(9), custom_period=(DAY_BEGINS + HOUR, DAY_BEGINS + 20 * DAY))
    assert used(ledger, late, estimate) == 0
    assert used(ledger, late, estimate, now=NOW + DAY) == Decimal("10.5")


def test_until_anything_is_known_only_limit_period_and_thresholds_are_reported(ledger: Ledger) -> None:
    budget = Budget("all", "month", Decimal(5), thresholds=(Threshold("actual", "critical", 1.0),))
    families = {each.family.name for each in budget_families(made(ledger, budget), NOW)}
    assert families == {
        "spend_budget_period_start_timestamp_seconds",
        "spend_budget_period_end_timestamp_seconds",
        "spend_budget_limit_usd",
        "spend_budget_threshold_ratio",
    }


@pytest.mark.slow
def test_the_limit_may_be_what_the_period_before_was_billed(ledger: Ledger, tmp_path: Path) -> None:
    october = datetime(2026, 10, 1, 7, tzinfo=UTC)
    put(ledger, tmp_path, "a", at(october, "30"), at(MONTH_BEGINS - 3 * DAY, "10"), at(NOW - DAY, "10"))
    last = Budget("last", "month", None, Match(providers=("gcp",)))
    [found] = made(ledger, last)
    assert found.limit_usd == 40
    assert used(ledger, last) == 10
    [unknown] = made(ledger, Budget("last", "year", None))
    assert unknown.limit_usd is None
    assert unknown.state(NOW) is None


def test_a_limit_in_another_currency_is_converted_at_the_bills_rate(ledger: Ledger, tmp_path: Path) -> None:
    euro = Budget("euro", "month", Decimal(100), currency="EUR")
    [unknown] = made(ledger, euro)
    assert unknown.limit_usd is None
    bill = at(NOW - DAY, "11", billing_currency="EUR", billed_cost=Decimal(10))
    put(ledger, tmp_path, "a", bill, at(NOW - DAY, "5"))
    [found] = made(ledger, euro)
    assert found.limit_usd == 110


def put_past(ledger: Ledger, folder: Path, usd_per_hour: str = "2") -> None:
    """Five weeks of a steady bill, known five hours late."""
    hours = [NOW.replace(minute=0) - at * HOUR for at in range(6, 35 * 24)]
    charges = [at(hour, usd_per_hour, export_hour=hour + 5 * HOUR) for hour in hours]
    put(ledger, folder, "past", *charges)


@pytest.mark.slow
def test_forecast_pace_and_exhaustion_follow_a_steady_bill(ledger: Ledger, tmp_path: Path) -> None:
    put_past(ledger, tmp_path)
    with ledger.view(["files"]) as view:
        estimates = Nowcasting().outlooks(view, None, NOW, {"gcp": PACIFIC})
    budget = Budget("gcp", "month", Decimal(1200), Match(providers=("gcp",)))
    [found] = made(ledger, budget, estimates=estimates)
    state = found.state(NOW)
    assert state is not None
    passed = (NOW - MONTH_BEGINS) / HOUR
    assert float(state.used_usd) == pytest.approx(2 * passed, rel=0.01)
    assert state.expected_ratio == pytest.approx(passed / 721, rel=1e-6)
    assert state.forecast_usd[0.5] == pytest.approx(1442, rel=0.01)
    assert state.exhausted_at is not None
    left = (1200 - 2 * passed) / 2
    assert (state.exhausted_at - NOW) / HOUR == pytest.approx(left, abs=2.0)
    gone = Budget("gone", "month", Decimal(1000), Match(providers=("gcp",)))
    [found] = made(ledger, gone, estimates=estimates)
    state = found.state(NOW)
    assert state is not None
    assert state.exhausted_at is not None
    assert (state.exhausted_at - MONTH_BEGINS) / HOUR == pytest.approx(500, abs=2.0)


def test_the_ledger_is_read_again_only_when_it_says_something_else(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", at(NOW - DAY, "5"))
    budgeting, rules = Budgeting(), BudgetRules((EVERYTHING,))
    with ledger.view(["files"]) as view:
        [first] = budgeting.outlooks(view, NOW, ZONES, (), rules)
        [again] = budgeting.outlooks(view, NOW + timedelta(minutes=9), ZONES, (), rules)
        [later] = budgeting.outlooks(view, NOW + HOUR, ZONES, (), rules)
    assert first.season is again.season
    assert first.season is not later.season


_numbers = count()
_usd = st.decimals(-100, 1000, places=9)
_charges = st.lists(
    st.tuples(
        _usd,
        st.integers(0, 30 * 24),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["Compute Engine", "BigQuery"]),
        st.sampled_from(["usage", "credit", "tax"]),
        st.sampled_from(["", "research", "sales"]),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_charges, nano=st.lists(st.integers(-NANO, 90 * NANO), min_size=24, max_size=24))
def test_parts_of_budgets_sum_to_their_totals(
    tmp_path: Path, rows: list[tuple[Decimal, int, str, str, str, str]], nano: list[int]
) -> None:
    ledger = Ledger(None)
    try:
        charges = [
            at(
                NOW.replace(minute=0) - hours * HOUR,
                str(usd),
                project_id=project,
                service_name=service,
                charge_category=category,
                tags=tags_text({"label:team": team}) if team else "",
            )
            for usd, hours, project, service, category, team in rows
        ]
        put(ledger, tmp_path, f"p{next(_numbers)}", *charges)
        estimate = outlook({"Compute Engine": (3, nano), "BigQuery": (9, nano[::-1])})
        parts = [Budget(name, "month", Decimal(10), Match(projects=(name,)), timezone="UTC") for name in "ab"]
        teams = [
            Budget(name, "month", Decimal(10), categories=(name,), timezone="UTC")
            for name in ("ml", "unattributed")
        ]
        whole = Budget("all", "month", Decimal(10), timezone="UTC")
        found = made(ledger, whole, *parts, *teams, estimates=[estimate])
    finally:
        ledger.close()
    sums = [sum(each.billed_usd.values(), Decimal(0)) for each in found]
    assert sums[0] == sums[1] + sums[2] == sums[3] + sums[4]
    since = datetime(2026, 11, 1, tzinfo=UTC)
    assert sums[0] == sum(
        (usd for usd, hours, *_ in rows if NOW.replace(minute=0) - hours * HOUR >= since), Decimal(0)
    )
    for each in found:
        state = each.state(NOW)
        assert state is not None
        by_service = each.used(NOW).values()
        assert state.billed_usd + state.estimated_usd == state.used_usd
        assert state.used_usd == sum((part.used_usd for part in by_service), Decimal(0))
        assert state.used_usd + state.remaining_usd == state.limit_usd


def exposed(found: BudgetOutlook) -> dict[str, dict[tuple[str, ...], float]]:
    return {each.family.name: dict(each.samples) for each in budget_families([found], NOW)}


def covered(ledger: Ledger, budget: Budget, now: datetime = NOW) -> datetime | None:
    [found] = made(ledger, budget, now=now)
    with ledger.view(["files"]) as view:
        rules = BudgetRules((budget,), RULES)
        assert budgets_covered_from(view, now, ZONES, rules, bill_begins(view)) == [found.covered_from]
    return found.covered_from


@pytest.mark.slow
def test_a_budget_is_partial_where_a_bill_that_it_counts_begins_after_its_period_does(
    ledger: Ledger, tmp_path: Path
) -> None:
    began = MONTH_BEGINS + 20 * DAY
    put(ledger, tmp_path, "a", at(began, "4"), at(began + HOUR, "1", service_name="Cloud SQL"))
    put(ledger, tmp_path, "b", gpt(MONTH_BEGINS - DAY, "2"), gpt(NOW - DAY, "2"))
    assert covered(ledger, EVERYTHING) == began
    assert covered(ledger, Budget("gcp", "month", Decimal(9), Match(providers=("gcp",)))) == began
    assert covered(ledger, Budget("sql", "month", Decimal(9), Match(services=("Cloud SQL",)))) == began
    assert covered(ledger, Budget("openai", "month", Decimal(9), Match(providers=("OpenAI",)))) is None
    assert covered(ledger, Budget("gpt", "month", Decimal(9), Match(models=("gpt-4*",)))) is None
    assert covered(ledger, Budget("day", "day", Decimal(9))) is None
    assert covered(ledger, Budget("year", "year", Decimal(9), Match(models=("gpt-4*",)))) is not None
    assert covered(ledger, Budget("none", "month", Decimal(9), Match(projects=("nobody",)))) == began
    assert covered(ledger, EVERYTHING, datetime(2026, 12, 1, 9, tzinfo=UTC)) is None


def test_a_bill_that_begins_with_the_period_covers_it_and_a_new_service_changes_nothing(
    ledger: Ledger, tmp_path: Path
) -> None:
    new = at(NOW - DAY, "1", service_name="Cloud SQL", project_id="new")
    put(ledger, tmp_path, "a", at(MONTH_BEGINS, "4"), new)
    assert covered(ledger, EVERYTHING) is None
    assert covered(ledger, Budget("sql", "month", Decimal(9), Match(services=("Cloud SQL",)))) is None
    [found] = made(ledger, EVERYTHING)
    assert exposed(found)["spend_budget_partial"] == {("all", "month"): 0.0}


def test_a_partial_budget_keeps_its_figures_and_is_marked(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "a", at(MONTH_BEGINS + DAY, "400"))
    [found] = made(ledger, EVERYTHING)
    assert exposed(found)["spend_budget_partial"] == {("all", "month"): 1.0}
    assert exposed(found)["spend_budget_used_ratio"] == {("all", "month"): 0.4}


def test_part_of_the_previous_period_is_no_limit(ledger: Ledger, tmp_path: Path) -> None:
    last = datetime(2026, 10, 1, 7, tzinfo=UTC)
    budget = Budget("as before", "month", None, Match(providers=("gcp",)))
    put(ledger, tmp_path, "a", at(last + 24 * DAY, "50"), at(NOW - DAY, "200"))
    [found] = made(ledger, budget)
    assert found.limit_usd is None
    assert "spend_budget_used_ratio" not in exposed(found)
    put(ledger, tmp_path, "b", at(last, "500"))
    [found] = made(ledger, budget)
    assert found.limit_usd == 550
