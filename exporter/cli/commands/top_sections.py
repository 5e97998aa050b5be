"""The sections of `spend-exporter top`, each as lines of a given width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import Final

from rich.text import Text

from exporter.cli.commands.top_words import UNKNOWN, Signs, age, bar, cut, day, dollars, ratio
from exporter.client import Summary
from exporter.core.printable import printable
from exporter.metrics.summary_schema import BudgetUse, Insight, ServiceDay, SourceState

BILLED: Final = "blue"
ESTIMATED: Final = "yellow"
_ALARM: Final = "bold red"
_WARNING: Final = "yellow"
_GOOD: Final = "green"

_LATE_INTERVALS: Final = 3
_LATE_SECONDS: Final = 60
_LINES_OF_TEXT: Final = 8
_MARKS: Final = {"critical": ("!!", _ALARM), "warning": ("! ", _WARNING), "info": ("$ ", _GOOD)}


@dataclass(frozen=True, slots=True)
class Section:
    """A title, and a function that returns its lines: at most so many, of this width."""

    title: str
    wanted: int
    """Lines that it would fill."""
    lines: Callable[[int, int], Sequence[Text]]
    least: int = 1


def totals(summary: Summary, signs: Signs) -> list[Text]:
    """Today, its parts, the rate and the month."""
    today, month = summary.today, summary.month
    first = _named("Today", dollars(today.total_usd if today.total_usd is not None else today.billed_usd))
    if today.total_usd is None:
        first.append(" billed; estimates follow once the bill is long enough")
    else:
        first.append(" = ").append(f"{dollars(today.billed_usd)} billed {signs.billed}", BILLED)
        first.append(" + ").append(f"{dollars(today.estimated_usd)} estimated {signs.estimated}", ESTIMATED)
        first.append(f"   whole day {dollars(today.whole_day_usd)}")
    rate = summary.burn_rate_usd_per_hour
    second = _named("Rate", UNKNOWN if rate is None else f"{dollars(rate)} an hour")
    second.append(f"   yesterday {dollars(summary.yesterday.billed_usd)} billed")
    third = _named("Parts", "")
    names = {"llm": "language models", "google": "Google", "other": "other"}
    for each in summary.by_part:
        share = each.total_usd / today.total_usd if today.total_usd else None
        comma = "" if each is summary.by_part[0] else ", "
        third.append(f"{comma}{names[each.part]} ").append(dollars(each.total_usd), "bold")
        third.append(f" ({ratio(share)})")
    if not summary.by_part:
        third.append(UNKNOWN)
    fourth = _named("Month", dollars(month.to_date_billed_usd)).append(" billed")
    end = month.forecast_end_usd
    if end is not None:
        fourth.append(f", {dollars(end.median)} expected ({dollars(end.low)} to {dollars(end.high)})")
    for line, covered in ((first, today), (second, summary.yesterday), (fourth, month)):
        if covered.partial and covered.covered_from:
            line.append(f"  partial, from {day(covered.covered_from)}", _WARNING)
    return [first, second, third, fourth]


def _named(name: str, amount: str) -> Text:
    return Text.assemble((f"{name:<7}", "cyan"), (amount, "bold"))


def budgets(summary: Summary, signs: Signs) -> Section:
    """Each budget's use and forecast as a bar of its limit; the fullest first."""
    found = sorted(summary.budgets, key=lambda each: -(each.used_ratio or -1.0))

    def lines(most: int, width: int) -> list[Text]:
        shown = found if len(found) <= most else found[: most - 1]
        amounts = [f"{dollars(each.used_usd)} of {dollars(each.limit_usd)}" for each in shown]
        widest = max(map(len, amounts), default=0)
        drawn = [
            _budget(each, f"{amount:>{widest}}", width, signs)
            for each, amount in zip(shown, amounts, strict=True)
        ]
        rest = len(found) - len(shown)
        return [*drawn, *([_more(rest, "", signs)] if rest else ())]

    return Section(f"Budgets  {signs.billed} used {signs.estimated} expected", len(found), lines, 3)


def _budget(each: BudgetUse, amounts: str, width: int, signs: Signs) -> Text:
    since = f" (partial, from {day(each.covered_from)})" if each.partial and each.covered_from else ""
    named = max(14, width * 36 // 100)
    numbers = f" {ratio(each.used_ratio):>5} {amounts}"
    line = Text(cut(f"{each.budget}, {each.period}{since}", named, signs) + " ")
    limit, used = each.limit_usd or 0.0, each.used_usd or 0.0
    expected = max(0.0, (each.forecast_usd or 0.0) - used)
    alarming = (each.used_ratio or 0.0) >= 1
    style = _ALARM if alarming else _WARNING if limit and used + expected > limit else BILLED
    parts = ((used, signs.billed, style), (expected, signs.estimated, style))
    line.append_text(bar(parts, limit, max(4, width - named - 1 - len(numbers))))
    return line.append(numbers, _ALARM if alarming else "")


def services(summary: Summary, signs: Signs) -> Section:
    """Each service's day as a bar, billed and estimated apart; the dearest first."""
    found = sorted(summary.by_service, key=lambda each: -each.total_usd)
    largest = max((each.total_usd for each in found), default=0.0)

    def lines(most: int, width: int) -> list[Text]:
        if not found:
            return [Text("no estimates yet")]
        shown = found if len(found) <= most else found[: most - 1]
        drawn = [_service(each, largest, width, signs) for each in shown]
        rest = found[len(shown) :]
        cost = f", {dollars(sum(each.total_usd for each in rest))}"
        return [*drawn, *([_more(len(rest), cost, signs)] if rest else ())]

    return Section(
        f"Services today  {signs.billed} billed {signs.estimated} estimated", max(1, len(found)), lines, 4
    )


def _service(each: ServiceDay, largest: float, width: int, signs: Signs) -> Text:
    named = max(14, width * 3 // 10)
    numbers = f" {dollars(each.total_usd):>9} {dollars(each.burn_rate_usd_per_hour) + '/h':>10}"
    line = Text(cut(each.service_name or "(none)", named, signs) + " ")
    parts = ((each.billed_usd, signs.billed, BILLED), (each.estimated_usd, signs.estimated, ESTIMATED))
    line.append_text(bar(parts, largest, max(4, width - named - 1 - len(numbers))))
    return line.append(numbers)


def _more(count: int, text: str, signs: Signs) -> Text:
    return Text(f"{signs.more} {count} more{text}", "dim")


def cloud_run(summary: Summary, signs: Signs) -> Section:
    """What Cloud Run costs per unit of use, over the trailing hour."""
    hour = summary.cloud_run
    if hour.requests_per_hour is None:
        return Section("Cloud Run", 1, lambda _most, _width: [Text("no live usage")])
    per_request, per_second = hour.cost_per_request_usd, hour.cost_per_cpu_second_usd
    seconds = hour.cpu_seconds_per_request
    figures = [
        f"{dollars(None if per_request is None else per_request * 1e6)} per million requests",
        f"{dollars(None if per_second is None else per_second * 1e6)} per million vCPU s",
        f"{UNKNOWN if seconds is None else f'{seconds:.3g}'} vCPU s per request",
        f"{ratio(hour.cold_start_ratio)} cold starts",
        f"{hour.requests_per_hour:,.0f} requests/h",
        f"{dollars(hour.usd_per_hour)}/h estimated",
    ]
    texts = [Text(each) for each in figures]
    return Section("Cloud Run, last hour", 3, lambda most, width: _flowing(texts, most, width, signs), 2)


def activity(summary: Summary, signs: Signs) -> Section:
    """Budgets near their limits, spikes and savings; a text has as many lines as there is room for."""
    found = summary.insights

    def lines(most: int, width: int) -> list[Text]:
        if not found:
            return [Text("nothing unusual", "dim")]
        shown = found if len(found) <= most else found[: most - 1]
        each_has = most // len(found) if shown == found else 1
        drawn = [line for each in shown for line in _insight(each, each_has, width, signs)]
        rest = len(found) - len(shown)
        return [*drawn, *([_more(rest, "", signs)] if rest else ())]

    return Section("Activity", max(1, _LINES_OF_TEXT * len(found)), lines, 2)


def _insight(each: Insight, most: int, width: int, signs: Signs) -> list[Text]:
    mark, style = _MARKS[each.severity]
    month = f"{dollars(each.usd)}/month: " if each.kind == "saving" else ""
    room = max(1, width - 3)
    wrapped = wrap(printable(month + each.text), room, max_lines=most, placeholder=signs.more)
    texts = wrapped or [""]
    return [
        Text.assemble((f"{mark if not number else '  '} ", style), cut(text, room, signs).rstrip())
        for number, text in enumerate(texts)
    ]


def sources(summary: Summary, age_seconds: float, signs: Signs) -> Section:
    """How fresh each source is; what fails has a line of its own, and comes first."""
    now = datetime.fromisoformat(summary.time)
    failing = [each for each in summary.sources if each.up is False]
    fine = [_source(each, now, age_seconds, signs) for each in summary.sources if each.up is not False]

    def lines(most: int, width: int) -> list[Text]:
        drawn = [
            Text(cut(f"{signs.down} {_failure(each, now, age_seconds)}", width, signs).rstrip(), _ALARM)
            for each in failing[:most]
        ]
        return [*drawn, *_flowing(fine, max(0, most - len(drawn)), width, signs)]

    # In a narrow terminal some sources share a line.
    wanted = len(failing) + (len(fine) + 2) // 3
    built = (now - datetime.fromisoformat(summary.as_of)).total_seconds() + age_seconds
    return Section(f"Sources  figures of {age(built)} ago", max(1, wanted), lines, 2)


def _source(each: SourceState, now: datetime, age_seconds: float, signs: Signs) -> Text:
    if each.last_success is None:
        return Text(f"{signs.waiting} {printable(each.name)} first read", _WARNING)
    seconds = (now - datetime.fromisoformat(each.last_success)).total_seconds() + age_seconds
    interval = each.update_interval_seconds
    late = interval is not None and seconds > _LATE_INTERVALS * interval + _LATE_SECONDS
    sign = (signs.waiting, _WARNING) if late else (signs.up, _GOOD)
    return Text.assemble(sign, f" {printable(each.name)} ", (age(seconds), _WARNING if late else ""))


def _failure(each: SourceState, now: datetime, age_seconds: float) -> str:
    if each.last_success is None:
        since = "never read"
    else:
        seconds = (now - datetime.fromisoformat(each.last_success)).total_seconds() + age_seconds
        since = f"last read {age(seconds)} ago"
    return f"{each.name}: {since}: {each.last_error or 'fails'}"


def _flowing(parts: Sequence[Text], most: int, width: int, signs: Signs) -> list[Text]:
    """Put parts beside each other, as many as fit; the last line says how many do not."""
    lines: list[Text] = []
    for number, part in enumerate(parts):
        if lines and lines[-1].cell_len + 3 + part.cell_len <= width:
            lines[-1].append("   ").append_text(part)
        elif len(lines) < most:
            lines.append(part.copy())
        else:
            rest = f" {signs.more}{len(parts) - number}"
            if lines:
                lines[-1].truncate(max(0, width - len(rest)))
                lines[-1].append(rest, "dim")
            break
    return lines
