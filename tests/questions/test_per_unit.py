"""What a unit costs is the cost of its charges on counted days over the number of units on these days."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.analysis.bill.attribution import Attribution, Match, Rule
from exporter.core.charges import Charge, tags_of
from exporter.core.llm_meters import GCP_LLM_SERVICE_IDS
from exporter.ledger.charges.store import Ledger
from exporter.ledger.unit_counts import KeptUnitCounts, UnitCount
from exporter.metrics.attribution import BusinessUnit
from exporter.metrics.model_names import ModelNames
from exporter.questions.asking import Questions, Running
from exporter.questions.dimensions import Dimensions
from exporter.questions.problem import QuestionError
from tests.support.charge_rows import put
from tests.support.question_world import NOW, ZONES, many_charges, zone_of

FIRST, DAYS = date(2026, 10, 29), 16
UNITS = (
    BusinessUnit("order", Match(projects=("shop-*",))),
    BusinessUnit("core", Match(providers=("gcp",)), ("core",)),
    BusinessUnit("web", Match(labels={"team": ("web",)})),
    BusinessUnit("nothing", Match(projects=("no-such",))),
)
OF_UNIT = {
    "order": lambda each: each.project_id.startswith("shop-"),
    "core": lambda each: tags_of(each.tags).get("label:team") == "core",
    "web": lambda each: tags_of(each.tags).get("label:team") == "web",
    "nothing": lambda _each: False,
}
RULES = Attribution([Rule("core", Match(labels={"team": ("core",)}), "core")])
COUNTED = {FIRST + timedelta(days=number): 10.0 * number for number in (0, 1, 2, 4, 5, 9, 12, 15, 17)}
"""Numbers of each unit but one; the last day has no cost, the first a number of 0."""


@pytest.fixture(scope="module")
def rows() -> list[Charge]:
    return many_charges(3, FIRST, DAYS)


@pytest.fixture(scope="module")
def asked(rows: list[Charge], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Questions]:
    ledger, folder = Ledger(None), tmp_path_factory.mktemp("ledger")
    put(ledger, folder, "all", *(row for row in rows if row.provider == "gcp"))
    put(ledger, folder, "all", *(row for row in rows if row.provider == "openai"), source="openai")
    KeptUnitCounts(ledger).keep(
        [
            UnitCount(unit, day, number, "q", "UTC")
            for unit in ("order", "core", "web")
            for day, number in COUNTED.items()
        ]
    )
    dimensions = Dimensions(("label:team",), RULES, ModelNames(GCP_LLM_SERVICE_IDS), UNITS)
    yield Questions(lambda: ledger.view(["files", "openai"]), dimensions, ZONES, clock=lambda: NOW)
    ledger.close()


def ask(asked: Questions, **query: str) -> dict[str, Any]:
    pairs = [(name.rstrip("_"), value) for name, value in query.items()]
    found: dict[str, Any] = json.loads(asked.costs(pairs, Running()).body)
    return found


def day_of(each: Charge) -> date:
    return each.charge_period_start.astimezone(zone_of(each)).date()  # type: ignore[arg-type]


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    unit=st.sampled_from([unit.name for unit in UNITS]),
    step=st.sampled_from(["day", "week", "month"]),
    begin=st.integers(-3, DAYS + 1),
    length=st.integers(1, DAYS + 4),
    where=st.sampled_from(["", "service:Cloud Run"]),
)
def test_each_period_has_the_cost_and_the_units_of_its_counted_days(
    asked: Questions, rows: list[Charge], unit: str, step: str, begin: int, length: int, where: str
) -> None:
    first = FIRST + timedelta(days=begin)
    end = first + timedelta(days=length)
    answer = ask(asked, per=unit, step=step, from_=str(first), to=str(end), where=where)
    by_day: dict[date, Decimal] = {}
    for row in rows:
        day = day_of(row)
        if first <= day < end and OF_UNIT[unit](row) and (not where or row.service_name == "Cloud Run"):
            by_day[day] = by_day.get(day, Decimal(0)) + row.billed_cost_usd
    per = answer["per_unit"]
    assert per["unit"] == unit
    assert per["days"] == sum(point["days"] for point in per["points"]) == length
    assert [point["start"] for point in per["points"]] == [point["start"] for point in answer["points"]]
    # The whole cost of the unit's charges is there, counted or not.
    assert Decimal(answer["total"] or 0) == sum(by_day.values(), Decimal(0))
    for point, whole in zip(per["points"], answer["points"], strict=True):
        start, stop = date.fromisoformat(point["start"]), date.fromisoformat(point["end"])
        days = [day for day in by_day if start <= day < stop and day in COUNTED]
        assert Decimal(whole["value"] or 0) == sum(by_day[day] for day in by_day if start <= day < stop)
        check(point, days, by_day)
        assert point["settled"] == whole["settled"]
    check(per, [day for day in by_day if day in COUNTED], by_day)
    assert Decimal(per["cost"] or 0) == sum(Decimal(point["cost"] or 0) for point in per["points"])
    assert (per["count"] or 0) == sum(point["count"] or 0 for point in per["points"])


def check(figures: dict[str, Any], days: list[date], by_day: dict[date, Decimal]) -> None:
    assert figures["counted_days"] == len(days)
    if not days:
        assert (figures["cost"], figures["count"], figures["usd_per_unit"]) == (None, None, None)
        return
    usd, count = sum(by_day[day] for day in days), sum(COUNTED[day] for day in days)
    assert Decimal(figures["cost"]) == usd
    assert figures["count"] == count
    assert figures["usd_per_unit"] == (pytest.approx(float(usd) / count) if count else None)


@pytest.mark.slow
def test_it_is_the_cost_that_the_metric_divides(asked: Questions) -> None:
    """The unit's rules and the categories decide, with labels where they use them."""
    alone = ask(asked, where="label.team:core", from_=str(FIRST), to=str(FIRST + timedelta(days=DAYS)))
    per = ask(asked, per="core", from_=str(FIRST), to=str(FIRST + timedelta(days=DAYS)))
    assert per["total"] == alone["total"] is not None
    assert "per_unit" not in alone


def test_csv_has_a_row_for_each_period(asked: Questions) -> None:
    pairs = [("per", "order"), ("from", str(FIRST)), ("to", "2026-11-03"), ("format", "csv")]
    found = list(csv.DictReader(io.StringIO(asked.costs(pairs, Running()).body.decode())))
    answer = ask(asked, per="order", from_=str(FIRST), to="2026-11-03")
    assert [row["start"] for row in found] == [f"{FIRST + timedelta(days=day)}" for day in range(5)]
    for row, point, unit in zip(found, answer["points"], answer["per_unit"]["points"], strict=True):
        assert row["net_usd"] == (point["value"] or "")
        assert row["counted_usd"] == (unit["cost"] or "")
        assert row["count"] == ("" if unit["count"] is None else str(unit["count"]))
        assert row["usd_per_unit"] == ("" if unit["usd_per_unit"] is None else str(unit["usd_per_unit"]))
        assert (row["unit"], row["counted_days"]) == ("order", str(unit["counted_days"]))
        assert row["settled"] == str(unit["settled"]).lower()
    assert {row["counted_days"] for row in found} == {"0", "1"}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"per": "ordr"}, "per: 'ordr' is no unit; did you mean order?"),
        ({"per": "order", "by": "service"}, "by: does not go with per: leave it out"),
        ({"per": "order", "compare": "week"}, "compare: does not go with per"),
        ({"per": "order", "step": "hour"}, "step: hour does not go with per, since units are counted by day"),
        ({"per": "order", "step": "total"}, "step: total does not go with per"),
        ({"per": "order", "measure": "usage"}, "measure: usage does not go with per: take net or gross"),
    ],
)
def test_what_has_no_answer_is_refused(asked: Questions, query: dict[str, str], text: str) -> None:
    with pytest.raises(QuestionError) as caught:
        ask(asked, **query)
    assert str(caught.value).startswith(text)


def test_without_units_in_the_configuration_the_key_is_named() -> None:
    with pytest.raises(QuestionError) as caught:
        Dimensions((), Attribution(), ModelNames(GCP_LLM_SERVICE_IDS)).unit("order")
    assert "the configuration has no unit_costs" in str(caught.value)
