"""Builds a report from one consistent state of the ledger, with the same answers as questions about cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from exporter.analysis.bill.periods import periods_before
from exporter.ledger.charges.windows import LedgerView
from exporter.questions.bills import Bills
from exporter.questions.cost_answer import CostAnswer, amount_text
from exporter.questions.cost_question import CostParameters
from exporter.questions.costs import answer_costs
from exporter.questions.dimensions import Dimensions
from exporter.questions.explain import answer_explain
from exporter.questions.explain_answer import ExplainParameters
from exporter.questions.problem import QuestionError
from exporter.questions.report_answer import Breakdown, Days, Earlier, OtherRows, Report, Row, UnitPrice
from exporter.questions.report_question import ReportParameters
from exporter.questions.times import utc_text
from exporter.reports.beside import Beside
from exporter.reports.period import (
    Kind,
    ReportPeriod,
    days_begun,
    is_over,
    last_whole,
    read_period,
    title_of,
)

_KINDS: Final[Sequence[Kind]] = ("month", "week", "day")
_MOST_PRICES: Final = 8
_SHOWN_UNITS: Final[Mapping[str, tuple[str, Decimal]]] = {
    "bytes": ("GiB", Decimal(2**30)),
    "byte-seconds": ("GiB-month", Decimal(2**30 * 730 * 3600)),
    "seconds": ("hour", Decimal(3600)),
    "tokens": ("million tokens", Decimal(10**6)),
    "requests": ("million requests", Decimal(10**6)),
}
"""Units whose prices people know by another unit, and how many there are in one of those."""
_ALL: Final = 10_000
"""As many groups as an answer can have."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks about the days of one report."""

    view: LedgerView
    dimensions: Dimensions
    bills: Bills
    now: datetime
    where: str | None
    first: date
    end: date

    def costs(self, **wanted: object) -> CostAnswer:
        given = {"from": str(self.first), "to": str(self.end), "where": self.where, "step": "total"}
        parameters = CostParameters.model_validate(given | wanted)
        return answer_costs(self.view, parameters, self.dimensions, self.bills, now=self.now)


def period_of(parameters: ReportParameters, now: datetime, zones: Sequence[str]) -> ReportPeriod:
    """Return the period that is asked for. Raises QuestionError."""
    given = [kind for kind in _KINDS if getattr(parameters, kind) is not None]
    if len(given) > 1:
        raise QuestionError(given[1], f"is given together with {given[0]}; give either")
    if not given:
        return last_whole("month", now, zones)
    return read_period(given[0], getattr(parameters, given[0]))


def build_report(
    view: LedgerView,
    parameters: ReportParameters,
    dimensions: Dimensions,
    bills: Bills,
    *,
    now: datetime,
    beside: Beside,
) -> Report:
    """Return the report; `beside` has the figures that are no sums of the bill. Raises QuestionError."""
    zones = sorted(bills.zones)
    period = period_of(parameters, now, zones)
    begun = days_begun(now, zones)
    _check(period, begun, bills)
    running = not is_over(period, now, zones)
    end = min(period.end, begun)
    asking = _Asking(view, dimensions, bills, now, parameters.where, period.first, end)
    step = "hour" if period.kind == "day" else "day"
    whole = asking.costs(step=step)
    total = _amount(whole.total)
    why = answer_explain(
        view,
        ExplainParameters.model_validate(
            {"from": str(period.first), "to": str(end), "where": parameters.where, "top": 8}
        ),
        dimensions,
        bills,
        now,
    )
    about_all = parameters.where is None
    return Report(
        kind=period.kind,
        name=period.name,
        title=f"Spending in {period.title}" if period.kind == "month" else f"Spending, {period.title}",
        made_at=utc_text(now),
        where=parameters.where,
        days=Days(title=title_of(period.first, end), from_=str(period.first), to=str(end)),
        running=running,
        partial=whole.partial,
        settled=whole.settled and not running,
        total=whole.total,
        previous=_previous(asking, total),
        last_year=_last_year(asking, period, total),
        forecast=beside.forecast(period) if running and about_all else None,
        budgets=list(beside.budgets(period, running=running)) if about_all else [],
        step=step,
        points=whole.points,
        breakdowns=[
            _breakdown(asking, name, parameters.top) for name in _dimensions(parameters, dimensions, bills)
        ],
        sentence=why.sentence,
        causes=why.causes,
        other_causes=why.other,
        parts=why.parts,
        unit_prices=_unit_prices(asking),
        units=list(beside.units(period, end)) if about_all else [],
        savings=list(beside.savings()) if about_all else [],
        providers=whole.providers,
        missing_sources=whole.missing_sources,
    )


def _check(period: ReportPeriod, begun: date, bills: Bills) -> None:
    if period.first >= begun:
        raise QuestionError(period.kind, f"{period.name} has not begun; name one that has")
    if not bills.by_provider:
        raise QuestionError(period.kind, "no bill has been read yet, so there is nothing to report")
    first = min(bill.since for bill in bills.by_provider.values())
    if period.end <= first.date():
        raise QuestionError(
            period.kind, f"{period.name} is over before the bill begins, {first.date()}; name a later one"
        )


def _previous(asking: _Asking, total: Decimal | None) -> Earlier | None:
    first = periods_before(asking.first, asking.end, "month")[0].first
    return _earlier(asking, first, asking.first, total)


def _last_year(asking: _Asking, period: ReportPeriod, total: Decimal | None) -> Earlier | None:
    return _earlier(asking, *period.a_year_earlier(asking.end), total)


def _earlier(asking: _Asking, first: date, end: date, total: Decimal | None) -> Earlier | None:
    answer = asking.costs(**{"from": str(first), "to": str(end)})
    if answer.total is None:
        return None
    return Earlier(
        title=title_of(first, end),
        from_=str(first),
        to=str(end),
        total=answer.total,
        change=_text((total or Decimal(0)) - Decimal(answer.total)),
        partial=answer.partial,
    )


def _dimensions(parameters: ReportParameters, dimensions: Dimensions, bills: Bills) -> list[str]:
    if parameters.by:
        return dimensions.named(parameters.by)
    return [
        *(["provider"] if len(bills.by_provider) > 1 else []),
        "service",
        *(["category"] if dimensions.rules.rules else []),
        *(name for name in dimensions.names if name.startswith(("label.", "tag."))),
        "project",
    ]


def _breakdown(asking: _Asking, name: str, top: int) -> Breakdown:
    """Return a table with the largest costs first; the largest changes are in the explanation."""
    quoted_name = '"' + name.replace('"', '""') + '"'
    groups = asking.costs(by=quoted_name, top=_ALL, compare="previous").groups
    now = {group.keys[name]: group.total for group in groups}
    before = {group.keys[name]: group.previous for group in groups}
    names = sorted({*now, *before}, key=lambda each: (-(_amount(now.get(each)) or Decimal(0)), each))
    rows = [
        Row(name=each, total=now.get(each), previous=before.get(each), change=_change(now, before, [each]))
        for each in names
    ]
    rest = names[top:] if len(names) > top + 1 else []
    other = OtherRows(
        count=len(rest),
        total=amount_text(_sum(now, rest)),
        previous=amount_text(_sum(before, rest)),
        change=_change(now, before, rest),
    )
    return Breakdown(dimension=name, rows=rows[:top] if rest else rows, other=other if rest else None)


def _unit_prices(asking: _Asking) -> list[UnitPrice]:
    """Return the prices of the SKUs that cost most, of use before credits."""
    where = ",".join(filter(None, (asking.where, "charge_category:usage")))
    by = "service,sku,unit"
    costs = asking.costs(by=by, where=where, compare="previous", top=_ALL).groups
    used = asking.costs(by=by, where=where, compare="previous", top=_ALL, measure="usage").groups
    quantities = {tuple(group.keys.values()): group for group in used}
    found = []
    for group in sorted(costs, key=lambda each: -Decimal(each.total or 0)):
        keys = tuple(group.keys.values())
        quantity = quantities.get(keys)
        unit, size = _SHOWN_UNITS.get(keys[2], (keys[2], Decimal(1)))
        usd = _per_unit(group.total, quantity.total if quantity else None, size)
        if usd is None or quantity is None or not keys[2]:
            continue
        found.append(
            UnitPrice(
                service=keys[0],
                sku=keys[1],
                unit=unit,
                quantity=float(Decimal(quantity.total or 0) / size),
                usd_per_unit=usd,
                previous_usd_per_unit=_per_unit(group.previous, quantity.previous, size),
            )
        )
        if len(found) == _MOST_PRICES:
            break
    return found


def _per_unit(usd: str | None, quantity: str | None, size: Decimal) -> float | None:
    if usd is None or quantity is None or Decimal(usd) <= 0 or Decimal(quantity) <= 0:
        return None
    return float(Decimal(usd) / Decimal(quantity) * size)


def _change(now: Mapping[str, str | None], before: Mapping[str, str | None], names: Sequence[str]) -> str:
    return _text((_sum(now, names) or Decimal(0)) - (_sum(before, names) or Decimal(0)))


def _sum(amounts: Mapping[str, str | None], names: Sequence[str]) -> Decimal | None:
    known = [Decimal(amount) for name in names if (amount := amounts.get(name)) is not None]
    return sum(known, Decimal(0)) if known else None


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(amount: Decimal) -> str:
    text = amount_text(amount)
    assert text is not None
    return text
