"""The answer of /api/v1/costs as CSV: a row for each period of each group in which something was billed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

from exporter.questions.cost_answer import CostAnswer, Point

OTHER: Final = "(other)"
"""Stands in all dimensions of the groups that are added up."""


def costs_csv(answer: CostAnswer) -> str:
    """Return the rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    value = answer.measure if answer.currency is None else f"{answer.measure}_usd"
    writer.writerow(["start", "end", *answer.by, value, "settled"])
    for group in answer.groups:
        writer.writerows(_rows(list(group.keys.values()), group.points))
    if answer.other is not None:
        writer.writerows(_rows([OTHER] * len(answer.by), answer.other.points))
    return text.getvalue()


def _rows(keys: list[str], points: list[Point]) -> Iterator[list[str]]:
    for point in points:
        if point.value is not None:
            yield [point.start, point.end, *keys, point.value, "true" if point.settled else "false"]
