"""The answer of /api/v1/explain for people: sentences, then the change by service, SKU, project and label."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from exporter.analysis.explain.sentences import PART_WORDS, money, signed_dollars
from exporter.core.printable import printable
from exporter.questions.explain_answer import ExplainAnswer, ExplainedChange, ExplainedDimension

_NAME_WIDTH: Final = 32
_MOST_GROUPS: Final = 5
_LEAST_SHOWN: Final = Decimal("0.005")


def explain_text(answer: ExplainAnswer) -> str:
    """Return the lines, of at most 80 characters but for sentences."""
    return "\n".join(line.rstrip() for line in _lines(answer)) + "\n"


def _lines(answer: ExplainAnswer) -> Iterator[str]:
    yield f"Usage from {answer.from_} to before {answer.to}: {answer.sentence}"
    if not answer.settled:
        yield "Not all of this cost has arrived yet; it will still grow."
    if answer.partial:
        yield "A bill begins later than the days before: what is called new may be new to it alone."
    if answer.missing_sources:
        yield f"Not read yet, and so not in these figures: {', '.join(answer.missing_sources)}."
    yield ""
    yield from (printable(cause.sentence) for cause in answer.causes if _shown(cause))
    if answer.other is not None:
        yield f"{answer.other.count} other changes {signed_dollars(Decimal(answer.other.change))}"
    yield ""
    yield from _parts(answer)
    for dimension in answer.by:
        yield ""
        yield from _dimension(dimension, answer)


def _shown(change: ExplainedChange) -> bool:
    return abs(Decimal(change.change)) >= _LEAST_SHOWN


def _parts(change: ExplainedChange) -> Iterator[str]:
    for name, word in PART_WORDS.items():
        usd = getattr(change.parts, name)
        if usd is not None and abs(Decimal(usd)) >= _LEAST_SHOWN:
            yield f"{word:<40}{signed_dollars(Decimal(usd)):>14}"
    yield f"{'change':<40}{signed_dollars(Decimal(change.change)):>14}"


def _dimension(dimension: ExplainedDimension, answer: ExplainAnswer) -> Iterator[str]:
    yield f"{dimension.dimension:<{_NAME_WIDTH}}{'before':>15}{'now':>15}{'change':>15}"
    shown = dimension.groups[:_MOST_GROUPS]
    for group in shown:
        yield _row(group.value or "(none)", group)
    rest = Decimal(answer.change) - sum((Decimal(group.change) for group in shown), Decimal(0))
    count = len(dimension.groups) - len(shown) + (dimension.other.count if dimension.other else 0)
    if count:
        yield f"{f'other ({count})':<{_NAME_WIDTH}}{'':>30}{signed_dollars(rest):>15}"


def _row(name: str, change: ExplainedChange) -> str:
    shown = printable(name)
    short = shown if len(shown) < _NAME_WIDTH else shown[: _NAME_WIDTH - 2] + "…"
    amounts = f"{money(Decimal(change.previous)):>15}{money(Decimal(change.total)):>15}"
    return f"{short:<{_NAME_WIDTH}}{amounts}{signed_dollars(Decimal(change.change)):>15}"
