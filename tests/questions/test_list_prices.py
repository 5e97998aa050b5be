"""Cost at list prices: exact, and what has no list price is told and never counted as nothing."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.charges import Charge
from exporter.ledger.charges.store import Ledger
from exporter.ledger.schema import MIGRATIONS, migrate
from exporter.questions.asking import Questions, Running
from tests.support.charge_rows import charge, put
from tests.support.question_world import VALUES, asked_ledger, many_charges, questions, zone_of

FIRST, DAYS = date(2026, 10, 29), 16


def ask(asked: Questions, **query: object) -> dict[str, Any]:
    pairs = [(name.rstrip("_"), str(value)) for name, value in query.items()]
    found: dict[str, Any] = json.loads(asked.costs([*pairs, ("measure", "list")], Running()).body)
    return found


@pytest.fixture(scope="module")
def rows() -> list[Charge]:
    chance = random.Random(7)

    def listed(each: Charge) -> Decimal | None:
        if each.charge_category == "credit" or each.provider == "openai" or chance.random() < 0.3:
            return None
        return Decimal(chance.randrange(10**12)) / 10**11

    return [replace(each, list_cost_usd=listed(each)) for each in many_charges(7, FIRST, DAYS)]


@pytest.fixture(scope="module")
def asked(rows: list[Charge], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Questions]:
    with asked_ledger(tmp_path_factory.mktemp("ledger"), rows) as found:
        yield found


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_listed_and_unlisted_are_the_sums_of_the_charges(
    asked: Questions, rows: list[Charge], data: st.DataObject
) -> None:
    by = data.draw(st.sampled_from(["project", "service", "sku", "label.team"]), "by")
    first = FIRST + timedelta(days=data.draw(st.integers(0, DAYS - 1), "first"))
    end = first + timedelta(days=data.draw(st.integers(1, DAYS), "days"))
    answer = ask(
        asked, from_=first, to=end, by=by, top=data.draw(st.integers(1, 4), "top"), compare="previous"
    )
    listed: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    unlisted: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    before = [date.fromisoformat(answer["compared_with"][name]) for name in ("from", "to")]
    previous = {"listed": Decimal(0), "unlisted": Decimal(0)}
    for each in rows:
        day = each.charge_period_start.astimezone(zone_of(each)).date()  # type: ignore[arg-type]
        if each.charge_category == "credit":
            continue
        key = VALUES[by](each), str(day)
        if first <= day < end and each.list_cost_usd is None:
            unlisted[key] += each.billed_cost_usd or 0
        elif first <= day < end:
            listed[key] += each.list_cost_usd or 0
        elif before[0] <= day < before[1]:
            known = each.list_cost_usd is not None
            usd = each.list_cost_usd if known else each.billed_cost_usd
            previous["listed" if known else "unlisted"] += usd or 0
    assert Decimal(answer["total"] or 0) == sum(listed.values())
    assert Decimal(answer.get("without_list_price", 0)) == sum(unlisted.values())
    assert ("without_list_price" in answer) == bool(unlisted)
    assert Decimal(answer["previous"] or 0) == previous["listed"]
    assert Decimal(answer["compared_with"].get("without_list_price", 0)) == previous["unlisted"]
    parts = [*answer["groups"], *([answer["other"]] if answer["other"] else [])]
    assert sum(Decimal(part.get("without_list_price", 0)) for part in parts) == sum(unlisted.values())
    for group in answer["groups"]:
        for point in group["points"]:
            key = group["keys"][by], point["start"]
            assert Decimal(point["value"] or 0) == listed.get(key, 0)
            assert (point["value"] is None) == (key not in listed)
            assert Decimal(point.get("without_list_price", 0)) == unlisted.get(key, 0)


def test_other_measures_say_nothing_of_list_prices(asked: Questions) -> None:
    body = asked.costs([("measure", "gross"), ("by", "service"), ("compare", "week")], Running()).body
    assert b"without_list_price" not in body


def test_csv_has_what_lacks_a_list_price_beside_each_sum(asked: Questions) -> None:
    query = [("measure", "list"), ("by", "provider"), ("from", str(FIRST)), ("to", "2026-11-14")]
    answer = ask(asked, by="provider", from_=FIRST, to="2026-11-14")
    table = list(
        csv.DictReader(io.StringIO(asked.costs([*query, ("format", "csv")], Running()).body.decode()))
    )
    assert sum(Decimal(row["list_usd"] or 0) for row in table) == Decimal(answer["total"])
    without = sum(Decimal(row["without_list_price_usd"] or 0) for row in table)
    assert without == Decimal(answer["without_list_price"])
    openai = [row for row in table if row["provider"] == "openai"]
    assert openai
    assert {row["list_usd"] for row in openai} == {""}


@pytest.mark.slow
def test_charges_of_a_ledger_from_before_have_no_list_price_until_they_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "spend.duckdb"
    adding = next(version for version, sql in enumerate(MIGRATIONS) if "ADD COLUMN list_above" in sql)
    with duckdb.connect(str(path)) as old:
        migrate(old, MIGRATIONS[:adding])
    day = {"from_": "2026-11-10", "to": "2026-11-11"}
    kept = charge("2", charge_period_start=datetime(2026, 11, 10, 18, tzinfo=UTC))
    new = Ledger(tmp_path / "new.duckdb")
    put(new, tmp_path, "a", kept)
    new.close()
    with duckdb.connect(str(path)) as old:
        old.execute(f"ATTACH '{tmp_path / 'new.duckdb'}' AS new (READ_ONLY)")
        for table, new in (
            ("partition", "*"),
            ("series", "*"),
            ("charge", "* EXCLUDE (list_above_billed_usd)"),
        ):
            old.execute(f"INSERT INTO {table} SELECT {new} FROM new.{table}")
    ledger = Ledger(path)

    before = ask(questions(ledger), **day)
    put(ledger, tmp_path, "a", replace(kept, list_cost_usd=Decimal("2.5")))
    after = ask(questions(ledger), **day)

    ledger.close()
    assert (before["total"], before["without_list_price"]) == (None, "2")
    assert (after["total"], after.get("without_list_price")) == ("2.5", None)
