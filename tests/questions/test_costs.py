"""Answers about cost are those of the charges themselves, exactly, whatever is asked."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from exporter.metrics.billed import WINDOW_FAMILIES
from exporter.questions.asking import Questions, Running
from exporter.questions.problem import QuestionError
from tests.support.charge_rows import HOUR, charge, put
from tests.support.question_world import (
    NOW,
    QUOTED,
    VALUES,
    ZONES,
    asked_ledger,
    many_charges,
    questions,
    zone_of,
)

FIRST, DAYS = date(2026, 10, 29), 16


def ask(asked: Questions, **query: object) -> dict[str, Any]:
    pairs = [(name.rstrip("_"), str(value)) for name, value in query.items()]
    found: dict[str, Any] = json.loads(asked.costs(pairs, Running()).body)
    return found


def problem(asked: Questions, **query: object) -> str:
    with pytest.raises(QuestionError) as caught:
        ask(asked, **query)
    return str(caught.value)


@pytest.fixture(scope="module")
def rows() -> list[Charge]:
    return many_charges(1, FIRST, DAYS)


@pytest.fixture(scope="module")
def asked(rows: list[Charge], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Questions]:
    with asked_ledger(tmp_path_factory.mktemp("ledger"), rows) as found:
        yield found


def quoted(names: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(list(names))
    return text.getvalue()


def day_of(each: Charge) -> date:
    return each.charge_period_start.astimezone(zone_of(each)).date()  # type: ignore[arg-type]


def slot_of(each: Charge, step: str) -> str:
    """Begin of the charge's period, as the answer writes it."""
    day = day_of(each)
    return {
        "hour": f"{each.charge_period_start:%Y-%m-%dT%H:%M:%SZ}",
        "day": str(day),
        "week": str(day - timedelta(days=day.weekday())),
        "month": str(day.replace(day=1)),
        "total": "",
    }[step]


WANTED = {
    "net": lambda each: True,
    "gross": lambda each: each.charge_category != "credit",
    "credits": lambda each: each.charge_category == "credit",
}
PATTERNS = ["*", "shop-*", "s?op-dev", "*o*", "core", "", "*zz*", "SKU 1"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_answer_equals_the_sums_of_the_charges(
    asked: Questions, rows: list[Charge], data: st.DataObject
) -> None:
    by = data.draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=3, unique=True), "by")
    step = data.draw(st.sampled_from(["hour", "day", "week", "month", "total"]), "step")
    measure = data.draw(st.sampled_from(sorted(WANTED)), "measure")
    first = FIRST + timedelta(days=data.draw(st.integers(0, DAYS - 1), "first"))
    end = first + timedelta(days=data.draw(st.integers(1, DAYS), "days"))
    top = data.draw(st.integers(1, 8), "top")
    where = data.draw(
        st.dictionaries(
            st.sampled_from(["project", "category", "label.team"]), st.sampled_from(PATTERNS), max_size=2
        )
    )

    def counts(each: Charge) -> bool:
        return WANTED[measure](each) and all(
            fnmatchcase(VALUES[name](each), pattern) for name, pattern in where.items()
        )

    def between(begin: date, until: date) -> list[Charge]:
        return [each for each in rows if begin <= day_of(each) < until and counts(each)]

    query = {"by": quoted(by)} if by else {}
    query |= {"where": quoted(f"{name}:{pattern}" for name, pattern in where.items())} if where else {}
    answer = ask(asked, from_=first, to=end, step=step, measure=measure, top=top, compare="previous", **query)
    expected: dict[tuple[str, ...], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for each in between(first, end):
        expected[tuple(VALUES[name](each) for name in by)][slot_of(each, step)] += each.billed_cost_usd or 0
    previous: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    before = answer["compared_with"]
    for each in between(*(date.fromisoformat(before[name]) for name in ("from", "to"))):
        previous[tuple(VALUES[name](each) for name in by)] += each.billed_cost_usd or 0

    whole = sum((usd for slots in expected.values() for usd in slots.values()), Decimal(0))
    assert Decimal(answer["total"] or 0) == whole
    assert Decimal(answer["previous"] or 0) == sum(previous.values())
    shown = answer["groups"]
    for group in shown:
        keys = tuple(group["keys"][name] for name in by)
        assert Decimal(group["total"] or 0) == sum(expected[keys].values())
        assert Decimal(group["previous"] or 0) == previous[keys]
        found: dict[str, Decimal] = defaultdict(Decimal)
        for point in group["points"]:
            if point["value"] is not None:
                start = "" if step == "total" else point["start"]
                if step in ("week", "month"):
                    day = date.fromisoformat(start)
                    start = str(day - timedelta(days=day.weekday()) if step == "week" else day.replace(day=1))
                found[start] += Decimal(point["value"])
        assert found == expected[keys]
    parts = [*shown, *([answer["other"]] if answer["other"] else [])]
    assert sum(Decimal(part["total"] or 0) for part in parts) == whole
    for number, point in enumerate(answer["points"]):
        assert Decimal(point["value"] or 0) == sum(
            Decimal(part["points"][number]["value"] or 0) for part in parts
        )
    everything = {*expected, *previous}
    assert len(shown) == min(top, len({keys for keys in everything if expected[keys] or keys in previous}))


def test_totals_are_those_of_the_metrics(tmp_path: Path, rows: list[Charge]) -> None:
    ledger = Ledger(None)
    put(ledger, tmp_path, "all", *(each for each in rows if each.provider == "gcp"))
    asked = questions(ledger, datetime(2026, 11, 10, 20, tzinfo=UTC))
    answer = ask(asked, from_="2026-11-01", to="now", by="service", where="provider:gcp")
    begin = datetime.combine(date(2026, 11, 1), time(), zone_of(rows[0]))  # type: ignore[arg-type]
    end = datetime.combine(date(2026, 11, 11), time(), zone_of(rows[0]))  # type: ignore[arg-type]
    with ledger.view(["files"]) as view:
        shown = [usd for _, (usd,) in view.window_sums("gcp", {"month_to_date": (begin, end)})]
    ledger.close()
    assert "month_to_date" in WINDOW_FAMILIES
    assert Decimal(answer["total"]) == sum(usd for usd in shown if usd is not None)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["day", "total"])
def test_many_groups_are_summed_as_few_are(tmp_path: Path, step: str) -> None:
    begin = datetime(2026, 11, 1, 8, tzinfo=UTC)
    rows = [
        charge(Decimal(number), sku_id=f"{number}", sku="", charge_period_start=begin + number % 480 * HOUR)
        for number in range(1, 2001)
    ]
    with asked_ledger(tmp_path, rows) as asked:
        answer = ask(asked, from_="2026-11-01", to="2026-11-21", by="sku", step=step, top=3)
    assert [group["keys"]["sku"] for group in answer["groups"]] == ["2000", "1999", "1998"]
    assert answer["other"]["groups"] == 1997
    assert Decimal(answer["other"]["total"]) == sum(range(1, 1998))
    assert Decimal(answer["total"]) == sum(range(1, 2001))
    assert answer["truncated"] is True


@pytest.mark.slow
def test_ten_thousand_groups_are_refused_with_what_to_do(tmp_path: Path) -> None:
    rows = [charge("1", sku_id=f"{number}", sku="") for number in range(10_001)]
    with asked_ledger(tmp_path, rows) as asked:
        assert "more than 10,000 groups; leave one out" in problem(asked, by="sku", from_="2026-11-01")


@pytest.mark.slow
def test_more_rows_than_fit_are_refused_with_what_to_do(asked: Questions) -> None:
    assert "the most is 10,000" in problem(asked, step="hour", from_="2020-01-01", to="2026-01-01")
    assert "rows" in problem(asked, step="hour", from_="2025-10-30", to="2026-11-10", by="sku,project")


def test_a_label_key_with_quotes_and_a_comma_is_a_dimension(asked: Questions, rows: list[Charge]) -> None:
    answer = ask(asked, from_="2026-10-01", by=quoted([f"label.{QUOTED}"]), step="total")
    assert {group["keys"][f"label.{QUOTED}"] for group in answer["groups"]} == {"", "1"}
    only = ask(asked, from_="2026-10-01", where=quoted([f"label.{QUOTED}:1"]), step="total")
    assert Decimal(only["total"]) == sum(
        each.billed_cost_usd or 0 for each in rows if VALUES[f"label.{QUOTED}"](each) == "1"
    )


def test_usage_is_by_unit_and_units_are_not_added(asked: Questions, rows: list[Charge]) -> None:
    answer = ask(asked, from_="2026-10-01", measure="usage", by="service", step="total")
    assert answer["total"] is None
    assert answer["currency"] is None
    for group in answer["groups"]:
        service, unit = group["keys"]["service"], group["keys"]["unit"]
        assert float(group["total"]) == sum(
            each.consumed_quantity
            for each in rows
            if (each.service_name, each.consumed_unit, each.charge_category) == (service, unit, "usage")
        )
    one = ask(asked, from_="2026-10-01", measure="usage", where="unit:seconds", step="total")
    assert one["unit"] == "seconds"
    assert one["total"] == one["groups"][0]["total"]


@pytest.mark.slow
def test_days_that_the_bill_has_not_settled_are_marked(tmp_path: Path) -> None:
    begin = datetime(2026, 10, 20, 7, tzinfo=UTC)
    # Each hour arrives five hours later, until the evening of 19 November in California.
    rows = [
        charge("1", charge_period_start=at, export_hour=at + 5 * HOUR)
        for at in (begin + number * HOUR for number in range(31 * 24 - 10))
    ]
    with asked_ledger(tmp_path, rows) as asked:
        answer = ask(asked, from_="2026-11-16", to="now")
    marked = {point["start"]: point["settled"] for point in answer["points"]}
    assert marked == {
        "2026-11-16": True,
        "2026-11-17": True,
        "2026-11-18": True,
        "2026-11-19": False,
        "2026-11-20": False,
    }
    assert answer["settled"] is False
    assert answer["points"][-1]["value"] is None
    assert answer["providers"][0]["settled_to"] < answer["providers"][0]["billed_to"]


def test_csv_has_a_row_for_each_period_with_cost(asked: Questions) -> None:
    query = [("from", str(FIRST)), ("by", "service"), ("top", "1"), ("format", "csv")]
    answered = asked.costs(query, Running())
    found = list(csv.DictReader(io.StringIO(answered.body.decode())))
    document = ask(asked, from_=FIRST, by="service", top=1)
    assert answered.content_type == "text/csv"
    assert {row["service"] for row in found} == {document["groups"][0]["keys"]["service"], "(other)"}
    assert sum(Decimal(row["net_usd"]) for row in found) == Decimal(document["total"])


def test_an_empty_ledger_has_no_cost_rather_than_zero() -> None:
    ledger = Ledger(None)
    answer = ask(questions(ledger), by="service")
    ledger.close()
    assert (answer["total"], answer["groups"], answer["settled"]) == (None, [], False)
    assert len(answer["points"]) == 14


BAD = {
    "from is no date": ({"from_": "2026-13-01"}, "from: '2026-13-01' is no time; write now, now-7d"),
    "a time without a zone": ({"to": "2026-11-01T08:00:00"}, "to: '2026-11-01T08:00:00' is no time"),
    "a year of the stone age": ({"from_": "0001-01-01"}, "is no time"),
    "longer ago than there are bills": ({"from_": "now-9999w"}, "is not a time between 2000 and 2100"),
    "from after to": (
        {"from_": "2026-11-09", "to": "2026-11-01"},
        "2026-11-09 is not before `to`, 2026-11-01",
    ),
    "an unknown dimension": ({"by": "servcie"}, "by: 'servcie' is no dimension; did you mean service"),
    "an unknown label": ({"by": "label.tem"}, "'label.tem' is not kept in the ledger (kept: label.team, "),
    "a label key with a quote": ({"by": 'label.te"am'}, "is not kept in the ledger"),
    "an empty part": ({"by": "service,"}, "has an empty part"),
    "no condition": ({"where": "shop"}, "'shop' is no condition; write a dimension and a pattern"),
    "an unknown condition": ({"where": "projct:x"}, "did you mean project"),
    "a pattern too long": ({"where": "project:" + "a*" * 200}, "longer than 256 characters"),
    "too many conditions": ({"where": ",".join(["project:a"] * 51)}, "the most is 50"),
    "an unknown step": ({"step": "year"}, "step: 'year' is not one of hour, day, week, month or total"),
    "no number": ({"top": "many"}, "top: 'many'"),
    "top zero": ({"top": "0"}, "greater than or equal to 1"),
    "an unknown measure": ({"measure": "lst"}, "'lst' is not one of net, gross, credits, list or usage"),
    "an unknown parameter": ({"frm": "now"}, "'frm': is no parameter; did you mean from"),
    "a zero byte": ({"where": "project:\0"}, "zero byte"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_question_is_refused_with_what_to_do(asked: Questions, case: str) -> None:
    query, text = BAD[case]
    assert text in problem(asked, **query)


def test_a_parameter_given_twice_is_refused_but_lists_are_joined(asked: Questions) -> None:
    with pytest.raises(QuestionError, match="step: is given twice"):
        asked.costs([("step", "day"), ("step", "day")], Running())
    answer = json.loads(asked.costs([("by", "service"), ("by", "sku")], Running()).body)
    assert answer["by"] == ["service", "sku"]


def test_the_zones_of_the_bills_are_named(asked: Questions) -> None:
    answer = ask(asked)
    assert {each["provider"]: each["timezone"] for each in answer["providers"]} == ZONES


def test_now_is_the_time_of_the_clock(asked: Questions) -> None:
    assert ask(asked, from_="now-1d", to="now")["to"] == "2026-11-21"
    assert NOW.day == 20
