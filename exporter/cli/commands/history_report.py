"""Writes the answer of `spend-exporter history`: tables for people, CSV and JSON for programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Literal, TextIO

from exporter.analysis.bill.periods import OTHER, By, CostPeriods, Group, Period
from exporter.core.printable import printable
from exporter.questions.cost_answer import Measure

Form = Literal["table", "csv", "json"]

Origin = Literal["ledger", "log"]
"""The ledger has what is billed by now; the log has what was shown then, estimates included."""

_HEADINGS: Final[Mapping[Measure, str]] = {
    "gross": "Billed cost without credits",
    "credits": "Credits",
    "list": "Cost at list prices",
}
_NAME_WIDTH: Final = 32
_BAR_WIDTH: Final = 24


@dataclass(frozen=True, slots=True)
class HistoryAnswer:
    """The costs, and the question that they answer."""

    table: CostPeriods
    by: By
    group: str
    billed: Mapping[str, tuple[datetime, datetime]]
    """From when to when the ledger has charges of each provider, or the log has lines about it."""
    origin: Origin = "ledger"
    measure: Measure = "net"
    unlisted_usd: Decimal | None = None
    """For list prices: what was billed for charges that have none, and so is missing; None without any."""
    before_unlisted_usd: Decimal | None = None
    """The same of the periods to compare with."""

    @property
    def begins_late(self) -> Mapping[str, date]:
        """First day of each provider whose bill begins within or after the periods to compare with.

        The log does not say from when on it has a provider.
        """
        if not self.table.before or self.origin == "log":
            return {}
        first = self.table.before[0].first
        days = {provider: begin.astimezone(UTC).date() for provider, (begin, _) in self.billed.items()}
        return {provider: day for provider, day in days.items() if day > first}

    def change_usd(self, group: Group) -> Decimal | None:
        """What a group costs more than before; None where nothing is known of it before."""
        return None if group.before_usd is None and self.begins_late else group.change_usd


def write(answer: HistoryAnswer, form: Form, out: TextIO) -> None:
    """Write the answer."""
    if form == "json":
        out.write(json.dumps(_document(answer), indent=2) + "\n")
    elif form == "csv":
        csv.writer(out, lineterminator="\n").writerows(_rows(answer))
    else:
        out.write("\n".join(_lines(answer)) + "\n")


def period_label(first: date, by: By) -> str:
    """Return a period's name as people write it."""
    return {"day": f"{first:%Y-%m-%d %a}", "week": f"week of {first}", "month": f"{first:%Y-%m}"}[by]


def heading(answer: HistoryAnswer) -> str:
    """Return what is shown, in one line."""
    first, last = answer.table.periods[0].first, answer.table.periods[-1].end
    what = _HEADINGS.get(answer.measure, "Billed cost")
    what = f"{what} of language models" if answer.group == "model" else what
    if answer.origin == "log":
        what = "Cost as known at each day's end"
    return f"{what}, usage from {first} to before {last}"


def unlisted_text(usd: Decimal) -> str:
    """Return what sums of list prices lack."""
    return f"Not in these sums: ${usd:,.2f} billed for charges that have no list price in the ledger."


def _lines(answer: HistoryAnswer) -> Iterator[str]:
    table = answer.table
    yield heading(answer)
    yield ""
    amounts = [table.period_usd(number) for number in range(len(table.periods))]
    largest = max((usd for usd in amounts if usd is not None), default=Decimal(0))
    yield f"{answer.by:<20}{'US dollars':>14}"
    for period, usd in zip(table.periods, amounts, strict=True):
        yield f"{period_label(period.first, answer.by):<20}{_usd(usd):>14}  {_bar(usd, largest)}".rstrip()
    yield f"{'total':<20}{_usd(table.total_usd):>14}"
    yield ""
    yield from _compared(answer) if table.before else _shares(answer)
    for usd, when in ((answer.unlisted_usd, ""), (answer.before_unlisted_usd, " In the time before:")):
        if usd is not None:
            yield f"{when} {unlisted_text(usd)}".lstrip()
    yield ""
    has = "The ledger has the bill of" if answer.origin == "ledger" else "The log covers"
    for provider, (begin, end) in sorted(answer.billed.items()):
        yield f"{has} {provider} from {_utc(begin)} to {_utc(end)} UTC."
    if answer.origin == "log":
        yield "The last line of each day counts: billed and estimated cost."


def _shares(answer: HistoryAnswer) -> Iterator[str]:
    table, total = answer.table, answer.table.total_usd
    largest = max((group.usd or Decimal(0) for group in table.groups), default=Decimal(0))
    yield f"{answer.group:<{_NAME_WIDTH}}{'US dollars':>14}{'share':>9}"
    for group in table.groups:
        share = f"{float((group.usd or 0) / total):.1%}" if total and group.usd is not None else "-"
        bar = _bar(group.usd, largest, 80 - _NAME_WIDTH - 25)
        yield f"{_name(group, table)}{_usd(group.usd):>14}{share:>9}  {bar}".rstrip()
    yield f"{'total':<{_NAME_WIDTH}}{_usd(total):>14}"


def _compared(answer: HistoryAnswer) -> Iterator[str]:
    table = answer.table
    first, end = table.before[0].first, table.before[-1].end
    yield f"Compared with usage from {first} to before {end}; largest change first:"
    yield ""
    yield f"{answer.group:<{_NAME_WIDTH}}{'before':>13}{'now':>13}{'change':>13}"
    for group in table.groups:
        yield _compared_line(answer, _name(group, table), group)
    total = Group("", table.total_usd, table.before_usd)
    yield _compared_line(answer, f"{'total':<{_NAME_WIDTH}}", total)
    late = answer.begins_late
    if late:
        yield ""
    for provider, day in sorted(late.items()):
        yield f"Partial: the bill of {provider} begins on {day}; costs before are not known."


def _compared_line(answer: HistoryAnswer, name: str, group: Group) -> str:
    before, change = group.before_usd, answer.change_usd(group)
    if change is None:
        return f"{name}{_usd(before):>13}{_usd(group.usd):>13}{'not known':>13}"
    if before is None:
        ratio = "new"
    elif before <= 0:
        ratio = "-"
    else:
        ratio = f"{float(change / before):+.0%}"
        ratio = ratio if len(ratio) < 8 else ">+9999%"
    return f"{name}{_usd(before):>13}{_usd(group.usd):>13}{_signed(change):>13}{ratio:>8}"


def _name(group: Group, table: CostPeriods) -> str:
    name = f"{OTHER} ({table.folded})" if group.name == OTHER and table.folded else group.name
    shown = printable(name)
    short = shown if len(shown) < _NAME_WIDTH else shown[: _NAME_WIDTH - 2] + "…"
    return f"{short:<{_NAME_WIDTH}}"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _usd(usd: Decimal | None) -> str:
    return "-" if usd is None else f"{usd:,.2f}"


def _signed(usd: Decimal) -> str:
    return f"{usd:+,.2f}"


def _bar(usd: Decimal | None, largest: Decimal, width: int = _BAR_WIDTH) -> str:
    if usd is None or usd <= 0 or largest <= 0:
        return ""
    return "#" * max(1, round(width * usd / largest))


def _rows(answer: HistoryAnswer) -> Iterator[list[object]]:
    """One row for each period and group; where compared, one for each group."""
    table = answer.table
    if table.before:
        yield [answer.group, "before_usd", "usd", "change_usd"]
        for group in table.groups:
            change = answer.change_usd(group)
            yield [group.name, _exact(group.before_usd), _exact(group.usd), _exact(change)]
        return
    yield ["from", "to", answer.group, "usd"]
    for number, period in enumerate(table.periods):
        for group in table.groups:
            usd = table.cells.get((number, group.name))
            if usd is not None:
                yield [period.first, period.end, group.name, _exact(usd)]


def _exact(usd: Decimal | None) -> str:
    return "" if usd is None else f"{usd.normalize():f}"


def _document(answer: HistoryAnswer) -> dict[str, Any]:
    table = answer.table
    groups: list[dict[str, Any]] = []
    for group in table.groups:
        entry: dict[str, Any] = {"name": group.name, "usd": _number(group.usd)}
        if table.before:
            entry |= {
                "before_usd": _number(group.before_usd),
                "change_usd": _number(answer.change_usd(group)),
            }
        groups.append(entry)
    document: dict[str, Any] = {
        "currency": "USD",
        "by": answer.by,
        "group": answer.group,
        "measure": answer.measure,
        "from": str(table.periods[0].first),
        "to": str(table.periods[-1].end),
        "total_usd": _number(table.total_usd),
        **_unlisted(answer.unlisted_usd),
        "groups": groups,
        "periods": [_period(table, number, period) for number, period in enumerate(table.periods)],
        "billed" if answer.origin == "ledger" else "logged": {
            provider: [f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in bounds]
            for provider, bounds in sorted(answer.billed.items())
        },
    }
    if table.before:
        document["before"] = {
            "from": str(table.before[0].first),
            "to": str(table.before[-1].end),
            "total_usd": _number(table.before_usd),
            **_unlisted(answer.before_unlisted_usd),
            "partial": bool(answer.begins_late),
        }
    return document


def _unlisted(usd: Decimal | None) -> dict[str, float]:
    return {} if usd is None else {"without_list_price_usd": float(usd)}


def _period(table: CostPeriods, number: int, period: Period) -> dict[str, Any]:
    cells = {group.name: table.cells.get((number, group.name)) for group in table.groups}
    return {
        "from": str(period.first),
        "to": str(period.end),
        "total_usd": _number(table.period_usd(number)),
        "groups": {name: float(usd) for name, usd in cells.items() if usd is not None},
    }


def _number(usd: Decimal | None) -> float | None:
    return None if usd is None else float(usd)
