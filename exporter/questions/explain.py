"""Answers /api/v1/explain from one consistent state of the ledger: why a cost changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar

from exporter.analysis.explain.change import NO_CHANGE, Change, Kind, Side, change_of, summed
from exporter.analysis.explain.sentences import Line, money, sentence, signed_dollars
from exporter.ledger.charges.cost_sums import Amount, CostSums
from exporter.ledger.charges.windows import LedgerView
from exporter.questions.bills import Bills
from exporter.questions.choosing import Choice, choose
from exporter.questions.conditions import Conditions, conditions_of
from exporter.questions.cost_answer import ComparedSpan, amount_text
from exporter.questions.dimensions import NO_ONE_MODEL, UNIT, Dimensions
from exporter.questions.explain_answer import (
    Cause,
    ExplainAnswer,
    ExplainedDimension,
    ExplainedGroup,
    ExplainParameters,
    ExplainParts,
    OtherChanges,
)
from exporter.questions.problem import QuestionError, quoted
from exporter.questions.times import WEEKDAYS, Span, bound_text, last_weekday, slots_of, span_before, span_of

_OF_LINE: Final = ("provider", "service", "project", "sku", "charge_category", "model", UNIT)
_KINDS: Final[Mapping[str, Kind]] = {
    "usage": "use",
    "purchase": "credits_and_commitments",
    "credit": "credits_and_commitments",
    "adjustment": "corrections",
    "tax": "taxes",
}
_YESTERDAY: Final = "now-1d"

_Labels = tuple[str, ...]
_Sides = Mapping[tuple[Line, _Labels], tuple[Side, Side]]
_Key = TypeVar("_Key", tuple[Line], tuple[Line, str])


@dataclass(frozen=True, slots=True)
class Spans:
    """What is compared."""

    before: Span
    now: Span


def answer_explain(
    view: LedgerView, parameters: ExplainParameters, dimensions: Dimensions, bills: Bills, now: datetime
) -> ExplainAnswer:
    """Return the answer. Raises QuestionError."""
    where = conditions_of(parameters.where, dimensions)
    spans = _spans(parameters, bills, now)
    labels = [name for name in dimensions.names if name.startswith(("label.", "tag."))]
    try:
        choice = _chosen(view, dimensions, bills, spans, where=where, labels=labels)
        shown_labels = labels
    except QuestionError as error:
        if error.parameter != "by" or not labels:
            raise
        choice, shown_labels = _chosen(view, dimensions, bills, spans, where=where, labels=[]), []
    sides = _sides(CostSums(view), choice, spans)
    lines = {line: change for (line,), change in _compared(sides, lambda line, _: (line,)).items()}
    of_cause: dict[tuple[str, str, str], dict[Line, Change]] = {}
    for line, change in lines.items():
        of_cause.setdefault((line.provider, line.service, line.project), {})[line] = change
    causes = summed((key, sum(own.values(), NO_CHANGE)) for key, own in of_cause.items())
    whole = sum(lines.values(), NO_CHANGE)
    compared = ComparedSpan(from_=bound_text(spans.before.first), to=bound_text(spans.before.end))
    top = parameters.top
    return ExplainAnswer(
        from_=bound_text(spans.now.first),
        to=bound_text(spans.now.end),
        compared_with=compared,
        currency="USD",
        where={name: list(patterns) for name, patterns in where.items()},
        sentence=_whole_sentence(whole, compared),
        causes=[_cause(key, causes[key], of_cause[key]) for key in list(causes)[:top]],
        other=_other(list(causes.values())[top:]),
        by=[*_by_line(lines, top), *_by_label(sides, shown_labels, top)],
        labels_left_out=shown_labels != labels,
        settled=all(
            bills.settled(slot, choice.providers)
            for span in (spans.before, spans.now)
            for slot in slots_of(span, "total")
        ),
        partial=bills.partial(spans.before, choice.providers),
        providers=bills.described(),
        missing_sources=list(bills.missing_sources),
        **_amounts(whole),
    )


def reason_of(
    view: LedgerView, dimensions: Dimensions, bills: Bills, *, provider: str, service: str, spans: Spans
) -> tuple[str, Side] | None:
    """Return why the cost of a service changed, from its project that changed most, and the cost since.

    None where the change is unknown: a bill that begins later, or none at all.
    """
    bill = bills.by_provider.get(provider)
    if bill is None or spans.before.whole[0] < bill.since:
        return None
    choice = choose(
        CostSums(view),
        dimensions,
        bills,
        by=_OF_LINE,
        where={},
        span=(spans.before.whole[0], spans.now.whole[1]),
        wanted=lambda series: (series.provider, series.service_name) == (provider, service),
    )
    lines = {
        line: change
        for (line,), change in _compared(
            _sides(CostSums(view), choice, spans), lambda line, _: (line,)
        ).items()
    }
    projects = summed((line.project, change) for line, change in lines.items())
    if not projects:
        return None
    largest = next(iter(projects))
    own = {line: change for line, change in lines.items() if line.project == largest}
    return sentence(service, own), sum(lines.values(), NO_CHANGE).now


def _spans(parameters: ExplainParameters, bills: Bills, now: datetime) -> Spans:
    first, end = parameters.from_, parameters.to
    if parameters.day is not None and (first or end):
        raise QuestionError("day", "is given together with from or to; give either")
    if parameters.day is not None or (first is None and end is None):
        span = _one_day(parameters.day or _YESTERDAY, bills, now)
    elif first is None:
        raise QuestionError("from", "is missing; give it with to, or give a day")
    else:
        span = span_of(first, end, "day", now, bills.zones)
    before = span_before(span, parameters.compare)
    if before is None:
        raise QuestionError("compare", "is needed; write previous or week")
    return Spans(before, span)


def _one_day(text: str, bills: Bills, now: datetime) -> Span:
    """Return the billing day that a date or a day of the week names, or that a time is in."""
    if text.lower() in WEEKDAYS:
        text = str(last_weekday(text, now, bills.zones))
    try:
        day = date.fromisoformat(text) if len(text) == len("2026-11-17") else None
    except ValueError:
        day = None
    try:
        if day is None:
            found = span_of(text, text, "day", now, bills.zones).first
            day = found.date() if isinstance(found, datetime) else found
        return span_of(str(day), str(day + timedelta(days=1)), "day", now, bills.zones)
    except QuestionError as error:
        raise QuestionError("day", error.problem) from None
    except OverflowError:
        raise QuestionError("day", f"{quoted(text)} is not a time between 2000 and 2100") from None


def _chosen(
    view: LedgerView,
    dimensions: Dimensions,
    bills: Bills,
    spans: Spans,
    *,
    where: Conditions,
    labels: Sequence[str],
) -> Choice:
    reach = min(spans.before.whole[0], spans.now.whole[0]), spans.now.whole[1]
    return choose(CostSums(view), dimensions, bills, by=(*_OF_LINE, *labels), where=where, span=reach)


def _sides(sums: CostSums, choice: Choice, spans: Spans) -> _Sides:
    """Return both sides of each line, by the values of its labels."""
    found: dict[tuple[Line, _Labels], tuple[Side, Side]] = {}
    for earlier, span in ((True, spans.before), (False, spans.now)):
        quantities = dict(_read(sums, choice, span, "quantity"))
        for group, usd in _read(sums, choice, span, "billed"):
            values = choice.groups[group]
            key = _line(values[: len(_OF_LINE)]), values[len(_OF_LINE) :]
            side = Side(usd, float(quantities.get(group, 0)), known=True)
            before, now = found.get(key, (Side(), Side()))
            found[key] = (before + side, now) if earlier else (before, now + side)
    return found


def _compared(sides: _Sides, key_of: Callable[[Line, _Labels], _Key]) -> dict[_Key, Change]:
    """Return the changes of lines that have the same key, largest first; a key begins with its line."""
    found: dict[_Key, tuple[Side, Side]] = {}
    for (line, labels), (before, now) in sides.items():
        key = key_of(line, labels)
        earlier, later = found.get(key, (Side(), Side()))
        found[key] = earlier + before, later + now
    return summed((key, change_of(key[0].kind, before, now)) for key, (before, now) in found.items())


def _by_line(lines: Mapping[Line, Change], top: int) -> Iterator[ExplainedDimension]:
    for name in ("service", "sku", "project"):
        groups = summed((str(getattr(line, name)), change) for line, change in lines.items())
        yield _dimension(name, groups, top)


def _by_label(sides: _Sides, names: Sequence[str], top: int) -> Iterator[ExplainedDimension]:
    for place, name in enumerate(names):
        changes = _compared(sides, lambda line, labels, place=place: (line, labels[place]))  # type: ignore[misc]
        yield _dimension(name, summed((key[1], change) for key, change in changes.items()), top)


def _dimension(name: str, groups: Mapping[str, Change], top: int) -> ExplainedDimension:
    return ExplainedDimension(
        dimension=name,
        groups=[
            ExplainedGroup(value=value, **_amounts(change)) for value, change in list(groups.items())[:top]
        ],
        other=_other(list(groups.values())[top:]),
    )


def _cause(key: tuple[str, str, str], change: Change, own: Mapping[Line, Change]) -> Cause:
    provider, service, project = key
    return Cause(
        sentence=sentence(service, own),
        provider=provider,
        service=service,
        project=project,
        **_amounts(change),
    )


def _other(changes: Sequence[Change]) -> OtherChanges | None:
    return OtherChanges(count=len(changes), **_amounts(sum(changes, NO_CHANGE))) if changes else None


def _amounts(change: Change) -> dict[str, Any]:
    return {
        "previous": amount_text(change.before.usd),
        "total": amount_text(change.now.usd),
        "change": amount_text(change.usd),
        "parts": ExplainParts(**{name: amount_text(usd) for name, usd in change.parts.items()}),
    }


def _whole_sentence(whole: Change, compared: ComparedSpan) -> str:
    before = whole.before.usd
    ratio = f" ({float(whole.usd / before):+.0%})" if before > 0 else ""
    days = f"{compared.from_} to before {compared.to}"
    change = f"{signed_dollars(whole.usd)}{ratio}"
    return f"{money(whole.now.usd)}, {change} from {money(before)} ({days})"


def _read(sums: CostSums, choice: Choice, span: Span, amount: Amount) -> Iterable[tuple[int, Any]]:
    rows = sums.sums(choice.kinds, span.windows, "whole", tags=choice.tags, units=choice.units, amount=amount)
    return ((group, amount) for group, _, amount in rows)


def _line(values: Sequence[str]) -> Line:
    provider, service, project, sku, category, model, unit = values
    kind = _KINDS[category]
    if kind == "use" and sku.lower().startswith("commitment"):
        kind = "credits_and_commitments"
    return Line(provider, service, project, sku, _what(sku, model), unit, kind)


def _what(sku: str, model: str) -> str:
    """Return the SKU as a sentence calls it: those of language models by token and model."""
    if not model or model == NO_ONE_MODEL:
        return sku or "cost without a SKU"
    text = sku.lower()
    for word, tokens in (("cach", "cached tokens"), ("output", "output tokens"), ("input", "input tokens")):
        if word in text:
            return f"{tokens} of {model}"
    return f"use of {model}"
