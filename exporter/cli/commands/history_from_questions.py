"""`spend-exporter history` from the ledger: asked of the running exporter, or read here where none runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from exporter.analysis.bill.periods import OTHER, CostPeriods, Group, Period
from exporter.cli.commands.history_question import HistoryQuestion
from exporter.cli.commands.history_report import HistoryAnswer
from exporter.cli.running_exporter import Chosen, asked_or_read
from exporter.config.model import Config
from exporter.questions.bills import bills_of
from exporter.questions.cost_answer import CostAnswer, Point
from exporter.questions.cost_question import CostParameters, read_parameters
from exporter.questions.costs import answer_costs
from exporter.wiring.dimensions import configured_dimensions
from exporter.wiring.ledger import opened_ledger

_MOST_ROWS: Final = 1_000_000
"""Of an answer that is made here."""


def history_from_questions(
    config: Config | None,
    question: HistoryQuestion,
    *,
    ledger: str | None,
    refresh: bool,
    access: Chosen,
    now: datetime,
) -> tuple[CostAnswer, bool]:
    """Return the answer, and whether every source could be read.

    Raises QuestionError, LedgerError, OSError.
    """
    query = _query(question, now)
    return asked_or_read(
        config,
        access,
        path="/api/v1/costs",
        query=query,
        model=CostAnswer,
        read=lambda config: _read_here(config, query, ledger=ledger, refresh=refresh, now=now),
        only_here=bool(ledger or refresh),
    )


def _query(question: HistoryQuestion, now: datetime) -> dict[str, str]:
    first, end = str(question.first or ""), question.end
    if question.last_days is not None:
        first = f"now-{question.last_days - 1}d"
    if question.first and end is None and question.first > now.astimezone(UTC).date():
        end = question.first + timedelta(days=1)
    where = question.where or ""
    if "model" in question.group.split(",") and "model:" not in where:
        # Only cost of language models.
        where = ",".join(filter(None, (where, "model:?*")))
    query = {
        "step": question.by,
        "by": question.group,
        "from": first,
        "to": str(end or ""),
        "where": where,
        "measure": question.measure,
        "top": str(question.top),
        "compare": "previous" if question.compare else "none",
        "per": question.per or "",
    }
    return {name: value for name, value in query.items() if value}


def _read_here(
    config: Config, query: dict[str, str], *, ledger: str | None, refresh: bool, now: datetime
) -> tuple[CostAnswer, tuple[str, ...]]:
    parameters = read_parameters(CostParameters, query.items())
    with opened_ledger(config, ledger, refresh=refresh) as opened:
        bills = bills_of(opened.view, opened.timezones, now)
        answer = answer_costs(
            opened.view, parameters, configured_dimensions(config), bills, now=now, most_rows=_MOST_ROWS
        )
        return answer, opened.failed


def history_answer(question: HistoryQuestion, answer: CostAnswer) -> HistoryAnswer:
    """Return the answer in the form in which it is shown."""
    periods = [
        Period(date.fromisoformat(point.start), date.fromisoformat(point.end)) for point in answer.points
    ]
    before = answer.compared_with
    compared = [Period(date.fromisoformat(before.from_), date.fromisoformat(before.to))] if before else []
    own, rest = _groups(answer)
    groups = [Group(name, usd, earlier) for name, (usd, earlier) in own.items()]
    if rest is not None:
        groups.append(Group(OTHER, *rest))
    folded = answer.other.groups + (OTHER in _names(answer)) if answer.other else 0
    table = CostPeriods(periods, compared, groups, dict(_cells(answer)), folded)
    billed = {
        bill.provider: (datetime.fromisoformat(bill.billed_from), datetime.fromisoformat(bill.billed_to))
        for bill in answer.providers
    }
    return HistoryAnswer(
        table,
        question.by,
        " / ".join(answer.by),
        billed,
        measure=answer.measure,
        unlisted_usd=_number(answer.without_list_price),
        before_unlisted_usd=_number(before.without_list_price) if before else None,
    )


_Sums = tuple[Decimal | None, Decimal | None]
"""Cost of the periods, and of those before."""


def _groups(answer: CostAnswer) -> tuple[dict[str, _Sums], _Sums | None]:
    """Return the groups by name, and the others; one that the bill itself calls `other` is one of them."""
    own = {
        name: (_number(group.total), _number(group.previous))
        for name, group in zip(_names(answer), answer.groups, strict=True)
    }
    if answer.other is None:
        return own, None
    of_bill = own.pop(OTHER, (None, None))
    rest = (_number(answer.other.total), _number(answer.other.previous))
    return own, (_added(rest[0], of_bill[0]), _added(rest[1], of_bill[1]))


def _cells(answer: CostAnswer) -> Iterator[tuple[tuple[int, str], Decimal]]:
    names = _names(answer)
    points: dict[str, list[Point]] = dict(zip(names, (group.points for group in answer.groups), strict=True))
    other = {OTHER: answer.other.points} if answer.other else {}
    for name in dict.fromkeys((*points, *other)):
        for number in range(len(answer.points)):
            usd = _added(
                *(_number(each[name][number].value) if name in each else None for each in (points, other))
            )
            if usd is not None:
                yield (number, name), usd


def _names(answer: CostAnswer) -> list[str]:
    """Return a name for each group, as people read it."""
    return [
        " / ".join(value or f"(no {dimension})" for dimension, value in group.keys.items())
        for group in answer.groups
    ]


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _added(*amounts: Decimal | None) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
