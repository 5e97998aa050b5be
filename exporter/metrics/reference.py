"""The metric reference: the declarations of exporter/metrics.py as text, JSON and a page of the docs.

Made from the declarations alone, so that it cannot say anything else than the exporter does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from textwrap import wrap
from typing import Final

from exporter.metrics.families import Family

_INTRODUCTION: Final = """\
# Metrics

This page is made by `spend-exporter metrics --format markdown`; a test keeps it current. The exporter
also serves the usual `process_*` and `python_*` metrics of its own process.

## How to read them

**Windows go by when usage happened, in the provider's billing days.** `spend_today_usd`,
`spend_yesterday_usd`, `spend_month_to_date_usd` and `spend_last_month_usd` sort each charge by the hour
of its usage, not by the hour in which the bill brought it. Google Cloud's billing days and months are
days and months in US Pacific time, so "today" begins at midnight there. Bills come hours to days late: a
window grows after it has ended, and `spend_unsettled_ratio` and
`spend_settled_through_timestamp_seconds` say how much of it is still to come. A window can fall too,
when the bill takes something back; that is why these are gauges.

**Net cost is the sum over `charge_category`.** The categories are usage, purchase, tax, adjustment and
credit; credits are negative. Leave the label out and you have what the provider's console shows:

    sum by (service_name) (spend_month_to_date_usd)

**Unknown is absent; 0 means zero.** A series that the exporter knows nothing about does not exist. If
the bill cannot be read, the last good figures stay, and `spend_source_up` says so.

**Counters count what the bill brought, when it brought it.** They survive restarts and never fall.

- `spend_billed_usd_total` has the positive charges of the categories usage, purchase and tax.
- `spend_billed_credit_usd_total` has what is negative, as positive numbers: credits, negative
  corrections, and the negative part of any other category.
- What is neither is a positive adjustment or a credit taken back. It shows in
  `spend_restated_usd_total{direction="up"}`, beside all else that the bill changed after it had first
  said it.

Ask a counter how fast the bill grows, which Prometheus answers by extrapolation; ask a window what a day
or a month has cost, which is exact. How much the bill brought in a day, less credits:

    sum(increase(spend_billed_usd_total[1d]))
      - (sum(increase(spend_billed_credit_usd_total[1d])) or vector(0))

**US dollars by the bill's own rate.** `_usd` metrics convert row by row at the rate that the bill
carries. `spend_invoice_month_cost` stays in the billing currency and goes by invoice month, to compare
with invoices: usage late in a month may be on the next invoice.

**`other` keeps totals exact.** Beyond `max_series`, the smallest series are added up in series whose
labels say `other`. Sums stay what they are; `spend_series_folded` says how many series went in.

## Reference
"""


def as_text(families: Iterable[Family]) -> str:
    """For the terminal: name, type and unit, then what it means and its labels, indented."""
    return "\n".join(_paragraph(family) for family in families)


def as_json(families: Iterable[Family]) -> str:
    """For programs: a list of objects with name, type, unit (empty if it has none), labels and help."""
    entries = [
        {
            "name": family.name,
            "type": family.type,
            "unit": family.unit,
            "labels": list(family.labels),
            "help": family.help,
        }
        for family in families
    ]
    return json.dumps(entries, indent=2) + "\n"


def as_markdown(families: Iterable[Family]) -> str:
    """For the docs: how to read the metrics, and a table of them."""
    rows = [
        ("metric", "type", "unit", "labels", "meaning"),
        ("---", "---", "---", "---", "---"),
        *(
            (
                f"`{family.name}`",
                family.type,
                family.unit,
                ", ".join(f"`{label}`" for label in family.labels),
                family.help,
            )
            for family in families
        ),
    ]
    return _INTRODUCTION + "\n" + "".join(f"| {' | '.join(map(_cell, row))} |\n" for row in rows)


def _paragraph(family: Family) -> str:
    kind = f"{family.type}, {family.unit}" if family.unit else family.type
    labels = ", ".join(family.labels) or "none"
    lines = [*wrap(family.help, 92), *wrap(f"labels: {labels}", 92)]
    return f"{family.name} ({kind})\n" + "".join(f"    {line}\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
