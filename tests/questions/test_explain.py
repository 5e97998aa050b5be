"""Explanations: their parts add up to the change exactly, by whatever one looks."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.charges import Charge
from exporter.questions.asking import Questions, Running
from exporter.questions.problem import QuestionError
from tests.support.charge_rows import HOUR, charge
from tests.support.question_world import QUOTED, VALUES, asked_ledger, many_charges, zone_of

GEMINI = {
    "service_id": "C7E2-9256-1C43",
    "service_name": "Vertex AI",
    "sku_id": "AAAA-0001",
    "sku": "Gemini 2.5 Pro Text Output - Predictions",
    "project_id": "northwind-assistant",
    "consumed_unit": "count",
}
PARTS = [
    "new",
    "gone",
    "more_use",
    "less_use",
    "dearer",
    "cheaper",
    "unmeasured",
    "credits_and_commitments",
    "corrections",
    "taxes",
]


def explain(asked: Questions, **query: object) -> dict[str, Any]:
    pairs = [(name.rstrip("_"), str(value)) for name, value in query.items()]
    found: dict[str, Any] = json.loads(asked.explain(pairs, Running()).body)
    return found


@pytest.fixture(scope="module")
def rows() -> list[Charge]:
    return many_charges(4)


@pytest.fixture(scope="module")
def asked(rows: list[Charge], tmp_path_factory: pytest.TempPathFactory) -> Any:
    with asked_ledger(tmp_path_factory.mktemp("ledger"), rows) as found:
        yield found


def change(part: dict[str, Any]) -> Decimal:
    """The change of a part of the answer, after a look at its own sums."""
    usd = Decimal(part["change"])
    assert usd == Decimal(part["total"]) - Decimal(part["previous"])
    assert set(part["parts"]) == set(PARTS)
    assert usd == sum(Decimal(each) for each in part["parts"].values() if each is not None)
    return usd


def day_of(each: Charge) -> date:
    return each.charge_period_start.astimezone(zone_of(each)).date()  # type: ignore[arg-type]


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 15), st.integers(1, 8), st.sampled_from(["previous", "week"]), st.integers(1, 4))
def test_all_parts_add_up_to_what_the_charges_say(
    asked: Questions, rows: list[Charge], begin: int, days: int, compare: str, top: int
) -> None:
    first = date(2026, 10, 29) + timedelta(days=begin)
    answer = explain(asked, from_=first, to=first + timedelta(days=days), compare=compare, top=top)

    def billed(span: dict[str, Any]) -> Decimal:
        return sum(
            (
                each.billed_cost_usd or Decimal(0)
                for each in rows
                if span["from"] <= str(day_of(each)) < span["to"]
            ),
            Decimal(0),
        )

    whole = change(answer)
    assert Decimal(answer["total"]) == billed(answer)
    assert Decimal(answer["previous"]) == billed(answer["compared_with"])
    lists = [(answer["causes"], answer["other"]), *((each["groups"], each["other"]) for each in answer["by"])]
    assert [each["dimension"] for each in answer["by"]] == [
        "service",
        "sku",
        "project",
        "label.team",
        f"label.{QUOTED}",
    ]
    for groups, other in lists:
        sizes = [abs(change(each)) for each in groups]
        assert sizes == sorted(sizes, reverse=True)
        assert sum(map(change, groups), Decimal(0)) + (change(other) if other else 0) == whole


def gemini(usd: str, day: int, quantity: float) -> Charge:
    at = datetime(2026, 11, day, 18, tzinfo=UTC)
    return charge(
        usd, charge_period_start=at, export_hour=at + 5 * HOUR, consumed_quantity=quantity, **GEMINI
    )


@pytest.mark.slow
def test_the_sentence_is_what_a_person_would_write(tmp_path: Path) -> None:
    with asked_ledger(tmp_path, [gemini("438.71", 16, 1000), gemini("1798.71", 17, 4100)]) as asked:
        answer = explain(asked, day="2026-11-17")
        text = asked.explain([("day", "2026-11-17"), ("format", "text")], Running()).body.decode()
    expected = (
        "Vertex AI +$1,360: 4.1 times the output tokens of gemini-2.5-pro in northwind-assistant, "
        "price unchanged"
    )
    assert answer["causes"][0]["sentence"] == expected
    assert answer["sentence"] == "$1,798.71, +$1,360 (+310%) from $438.71 (2026-11-16 to before 2026-11-17)"
    assert answer["parts"]["more_use"] == "1360.001"
    # The first charge is of ten o'clock.
    assert answer["partial"] is True
    assert "A bill begins later than the days before" in text
    assert answer["parts"]["cheaper"] == "-0.001"
    assert expected in text.splitlines()
    assert max(len(line) for line in text.splitlines() if line not in (expected, text.splitlines()[0])) <= 90


@pytest.mark.slow
def test_a_day_is_named_by_its_date_or_by_a_time_within_it(asked: Questions) -> None:
    by_date = explain(asked, day="2026-11-10")
    assert (by_date["from"], by_date["to"]) == ("2026-11-10", "2026-11-11")
    assert by_date["compared_with"] == {"from": "2026-11-09", "to": "2026-11-10"}
    assert by_date["partial"] is False
    assert explain(asked, day="2026-11-10T20:00:00Z")["from"] == "2026-11-10"
    yesterday = explain(asked)
    assert (yesterday["from"], yesterday["to"]) == ("2026-11-19", "2026-11-20")


@pytest.mark.slow
def test_conditions_choose_what_is_explained(asked: Questions, rows: list[Charge]) -> None:
    answer = explain(asked, from_="2026-11-05", to="2026-11-12", where="label.team:core")
    assert Decimal(answer["total"]) == sum(
        each.billed_cost_usd or 0
        for each in rows
        if VALUES["label.team"](each) == "core" and date(2026, 11, 5) <= day_of(each) < date(2026, 11, 12)
    )


@pytest.mark.slow
def test_labels_with_too_many_values_are_left_out_and_said(tmp_path: Path) -> None:
    at = datetime(2026, 11, 10, 18, tzinfo=UTC)
    rows = [
        charge("1", charge_period_start=at, tags=json.dumps({"label:team": f"branch-{number}"}))
        for number in range(10_001)
    ]
    with asked_ledger(tmp_path, rows) as asked:
        answer = explain(asked, day="2026-11-10")
    assert answer["labels_left_out"] is True
    assert answer["total"] == "10001"
    assert [each["dimension"] for each in answer["by"]] == ["service", "sku", "project"]


BAD = {
    "a day that is no day": ({"day": "2026-02-30"}, "day: '2026-02-30' is no time"),
    "a day and from": (
        {"day": "2026-11-10", "from_": "2026-11-01"},
        "day: is given together with from or to",
    ),
    "to alone": ({"to": "2026-11-01"}, "from: is missing"),
    "the last day there is": ({"day": "9999-12-31"}, "between 2000 and 2100"),
    "from after to": ({"from_": "2026-11-09", "to": "2026-11-01"}, "is not before"),
    "an unknown comparison": ({"compare": "year"}, "compare: 'year' is not one of previous or week"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_question_is_refused_with_what_to_do(asked: Questions, case: str) -> None:
    query, text = BAD[case]
    with pytest.raises(QuestionError, match=text):
        explain(asked, **query)
