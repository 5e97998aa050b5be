"""The parameters of a question as the exporter reads them: times, and lists separated by commas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

Moment = str | date | datetime
"""`now-7d`, a billing day, or a time with its zone."""

Where = str | Mapping[str, str | Sequence[str]]
"""Conditions as text, or patterns by dimension."""


def moment_text(moment: Moment | None) -> str:
    """Return a time as text; raises ValueError for one without a zone."""
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise ValueError(f"{moment} has no zone: use datetime.now(UTC), or a date for a billing day")
    return "" if moment is None else moment if isinstance(moment, str) else moment.isoformat()


def dimensions_text(by: str | Sequence[str]) -> str:
    """Return dimensions as a list; a text is one already."""
    return by if isinstance(by, str) else _list(by)


def conditions_text(where: Where) -> str:
    """Return conditions as a list; a text is one already."""
    if isinstance(where, str):
        return where
    return _list(
        f"{dimension}:{pattern}"
        for dimension, patterns in where.items()
        for pattern in ([patterns] if isinstance(patterns, str) else patterns)
    )


def _list(parts: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(list(parts))
    return text.getvalue()
