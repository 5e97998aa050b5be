"""Renders a report: a page in one file, the body of a mail, Markdown, or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from exporter.analysis.explain.sentences import PART_WORDS, money, signed_dollars
from exporter.core.printable import printable
from exporter.questions.cost_answer import Point
from exporter.questions.report_answer import Report, UnitPrice

_TITLES: Final = {
    "provider": "By provider",
    "service": "By service",
    "project": "By project",
    "category": "By category",
    "model": "By model",
    "sku": "By SKU",
    "region": "By region",
}
_MINUS: Final = "\N{MINUS SIGN}"
_SAME_PRICE: Final = 0.0005
_LEAST_SHOWN: Final = Decimal("0.005")
_UNSAFE_IN_MARKDOWN: Final = "\\`*_[]<>#|~&"


def html_page(report: Report) -> str:
    """Return a page that needs no other file."""
    return _rendered("report.html.j2", report)


def html_mail(report: Report) -> str:
    """Return the body of a mail: tables with inline styles, because mail programs know little else."""
    return _rendered("mail.html.j2", report)


def markdown(report: Report) -> str:
    """Return the report as Markdown."""
    return _rendered("report.md.j2", report)


def slack_text(report: Report) -> str:
    """Return the report in a few lines, in the markup of Slack."""
    return _rendered("slack.txt.j2", report)


def figures_csv(report: Report) -> str:
    """Return the figures, a row for each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["part", "name", "usd", "previous_usd", "change_usd"])
    previous = report.previous
    writer.writerow(
        ["total", report.name, report.total, *([previous.total, previous.change] if previous else ["", ""])]
    )
    if report.last_year:
        writer.writerow(["last_year", report.last_year.from_, report.last_year.total, "", ""])
    for point in report.points:
        writer.writerow([report.step, point.start, point.value, "", ""])
    for breakdown in report.breakdowns:
        for row in breakdown.rows:
            writer.writerow([breakdown.dimension, row.name, row.total, row.previous, row.change])
        if breakdown.other:
            other = breakdown.other
            writer.writerow([breakdown.dimension, "(other)", other.total, other.previous, other.change])
    for budget in report.budgets:
        writer.writerow(["budget_limit", budget.budget, budget.limit_usd, "", ""])
        writer.writerow(["budget_used", budget.budget, budget.used_usd, "", ""])
    return text.getvalue()


@cache
def _environment(*, escape: bool) -> Environment:
    found = Environment(
        loader=PackageLoader("exporter.reports"),
        autoescape=escape,  # noqa: S701 - off for Markdown and Slack alone, which escape otherwise
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters.update(
        usd=_usd,
        signed=_signed,
        percent=_percent,
        price=_price,
        number=_number,
        price_change=_price_change,
        named=lambda name: name or "(none)",
        when=_when,
        plain=_plain,
        slack=_slack,
    )
    return found


def _rendered(template: str, report: Report) -> str:
    escape = template.endswith(".html.j2")
    return _environment(escape=escape).get_template(template).render(_values(report))


def _values(report: Report) -> Mapping[str, object]:
    total = Decimal(report.total or 0)
    return {
        "report": report,
        "total": total,
        "titles": {
            each.dimension: _TITLES.get(each.dimension, f"By {each.dimension.replace('.', ' ')}")
            for each in report.breakdowns
        },
        "parts": [
            (word, usd)
            for name, word in PART_WORDS.items()
            if (usd := Decimal(getattr(report.parts, name) or 0)) and abs(usd) >= _LEAST_SHOWN
        ],
        "causes": [each for each in report.causes if abs(Decimal(each.change)) >= _LEAST_SHOWN],
        "bars": _bars(report.points),
        "share": lambda usd: max(0.0, min(1.0, float(Decimal(usd or 0) / total))) if total > 0 else 0.0,
        "saved": sum(each.usd_per_month or 0.0 for each in report.savings),
    }


def _bars(points: list[Point]) -> list[dict[str, object]]:
    """Return each period's cost as a share of the largest; negative costs have no bar."""
    amounts = [float(point.value or 0) for point in points]
    largest = max([*amounts, 0.0])
    return [
        {
            "label": _label(point.start),
            "share": max(amount, 0.0) / largest if largest else 0.0,
            "usd": point.value,
            "settled": point.settled,
        }
        for point, amount in zip(points, amounts, strict=True)
    ]


def _label(start: str) -> str:
    if "T" in start:
        return f"{datetime.fromisoformat(start):%H:%M} UTC"
    day = date.fromisoformat(start)
    return f"{day.day} {day:%b}"


def _usd(amount: str | Decimal | float | None) -> str:
    return "-" if amount is None else money(Decimal(str(amount))).replace("-", _MINUS)


def _signed(amount: str | Decimal) -> str:
    usd = Decimal(amount)
    return "±$0" if abs(usd) < _LEAST_SHOWN else signed_dollars(usd).replace("-", _MINUS)


def _percent(change: str | Decimal, before: str | Decimal | None) -> str:
    """Return a change as a share of what was before; empty where nothing was."""
    if before is None or Decimal(before) <= 0:
        return ""
    ratio = float(Decimal(change) / Decimal(before))
    return f"{ratio:+.0%}".replace("-", _MINUS) if abs(ratio) < 10 else f"x{ratio + 1:.0f}"


def _price(usd: float) -> str:
    if usd >= 1:
        return f"${usd:,.2f}"
    return f"${Decimal(f'{usd:.4g}'):f}"


def _price_change(price: UnitPrice) -> str:
    if price.previous_usd_per_unit is None:
        return "new"
    ratio = price.usd_per_unit / price.previous_usd_per_unit - 1
    return "±0%" if abs(ratio) < _SAME_PRICE else f"{ratio:+.1%}".replace("-", _MINUS)


def _number(count: float) -> str:
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if count >= size:
            return f"{count / size:,.1f} {word}"
    return f"{count:,.0f}" if count >= 100 else f"{count:.4g}"


def _when(moment: str) -> str:
    found = datetime.fromisoformat(moment)
    return f"{found.day} {found:%B %Y %H:%M} UTC"


def _plain(text: str) -> str:
    """Return a text that has no meaning in Markdown, on one line."""
    line = printable(text, " ")
    return "".join(f"\\{letter}" if letter in _UNSAFE_IN_MARKDOWN else letter for letter in line)


def _slack(text: str) -> str:
    """Return a text without Slack's links, mentions and marks, on one line."""
    line = printable(text, " ")
    escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Slack has no escape for these; a character without width keeps them from being read as marks.
    return "".join(f"{letter}\u200b" if letter in "*_~`" else letter for letter in escaped)


def headline(report: Report) -> str:
    """Return the figures that matter most in one line, as for the subject of a mail."""
    text = f"{report.title}: {money(Decimal(report.total or 0))}"
    if report.previous is not None and not report.previous.partial:
        share = _percent(report.previous.change, report.previous.total)
        text += f" ({share or _signed(report.previous.change)})"
    over = [each.budget for each in report.budgets if each.used_ratio > 1]
    if over:
        text += f", over {'budget' if len(over) == 1 else 'budgets'} {', '.join(over)}"
    return printable(text, " ")
