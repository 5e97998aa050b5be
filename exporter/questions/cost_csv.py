"""The answer of /api/v1/costs as CSV: a row for each period of each group in which something was billed.

Of list prices there is one more column: what was billed for charges that have none. With `per` there is a row
for each period, and what one unit has cost.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

from exporter.questions.cost_answer import CostAnswer, CostPerUnit, Point

OTHER: Final = "(other)"
"""Stands in all dimensions of the groups that are added up."""


def costs_csv(answer: CostAnswer) -> str:
    """Return the rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if answer.per_unit is not None:
        writer.writerows(_unit_rows(answer, answer.per_unit))
        return text.getvalue()
    value = answer.measure if answer.currency is None else f"{answer.measure}_usd"
    lists = answer.measure == "list"
    unlisted = ["without_list_price_usd"] if lists else []
    writer.writerow(["start", "end", *answer.by, value, "settled", *unlisted])
    for group in answer.groups:
        writer.writerows(_rows(list(group.keys.values()), group.points, lists=lists))
    if answer.other is not None:
        writer.writerows(_rows([OTHER] * len(answer.by), answer.other.points, lists=lists))
    return text.getvalue()


def _unit_rows(answer: CostAnswer, per_unit: CostPerUnit) -> Iterator[list[object]]:
    yield [
        "start",
        "end",
        f"{answer.measure}_usd",
        "settled",
        "unit",
        "count",
        "counted_usd",
        "usd_per_unit",
        "counted_days",
    ]
    for point, unit in zip(answer.points, per_unit.points, strict=True):
        settled = "true" if point.settled else "false"
        known = [unit.count, unit.cost, unit.usd_per_unit]
        texts = ["" if each is None else each for each in known]
        yield [
            point.start,
            point.end,
            point.value or "",
            settled,
            per_unit.unit,
            *texts,
            unit.counted_days,
        ]


def _rows(keys: list[str], points: list[Point], *, lists: bool) -> Iterator[list[str]]:
    for point in points:
        if point.value is not None or point.without_list_price is not None:
            unlisted = [point.without_list_price or ""] if lists else []
            settled = "true" if point.settled else "false"
            yield [point.start, point.end, *keys, point.value or "", settled, *unlisted]
