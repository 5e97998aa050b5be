"""Makes the page as HTML: from a snapshot, its summary, and what was asked of the ledger."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from exporter.metrics.snapshot import HEADINGS, Snapshot
from exporter.metrics.summary import summary
from exporter.metrics.summary_schema import moment_text
from exporter.questions.asking import Questions
from exporter.web.page.asked import DAYS, Asked, AskedOnce
from exporter.web.page.cost_view import Changes, CostChart, changes, cost_chart, service_rows
from exporter.web.page.firing import MOST_SHOWN, passed_thresholds
from exporter.web.page.live_view import BUDGETS_SHOWN, budget_rows, run_rows, savings, source_rows
from exporter.web.page.words import FORMS, dollars, moment, signed_percent

DOCS: Final = "https://github.com/spend-exporter/spend-exporter/tree/main/docs"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Lets the page use its own script and style and talk to this server, and nothing else."""

_WAIT_SECONDS: Final = 2.0
"""How long a request waits for new answers of the ledger before it shows older ones."""

_GZIP_LEVEL: Final = 3

_BILLS_SHOWN: Final = 5
_RATES_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Made:
    """A page that was made, and from what."""

    snapshot: Snapshot
    asked: Asked | None
    second: int
    html: bytes
    gzipped: bytes


class LandingPage:
    """Makes the page, at most once a second. For use from one event loop; close it afterwards."""

    def __init__(self, version: str, questions: Questions | None, grafana_url: str | None) -> None:
        self._version = version
        self._grafana_url = grafana_url
        self._asked = AskedOnce(questions)
        self._asks = questions is not None
        self._executor = ThreadPoolExecutor(1, "page-html")
        self._made: Made | None = None
        self._drawn: tuple[Asked, CostChart | None, Changes | None] | None = None
        self._template = _environment().get_template("page.html")
        self.style = _asset("page.css")
        self.script = _asset("page.js")

    async def made(self, snapshot: Snapshot, now: datetime) -> Made:
        """Return the page; figures are those at `now`."""
        asked = await self._asked.answers(snapshot.built_at, wait_seconds=_WAIT_SECONDS)
        second, last = int(now.timestamp()), self._made
        if last and last.snapshot is snapshot and last.asked is asked and last.second == second:
            return last
        loop = asyncio.get_running_loop()
        self._made = made = await loop.run_in_executor(self._executor, self._make, snapshot, asked, now)
        return made

    def close(self) -> None:
        """Stop asking and making."""
        self._asked.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _make(self, snapshot: Snapshot, asked: Asked | None, now: datetime) -> Made:
        html = self._render(snapshot, asked, now).encode()
        return Made(snapshot, asked, int(now.timestamp()), html, gzip.compress(html, _GZIP_LEVEL, mtime=0))

    def _charts(self, asked: Asked | None) -> tuple[CostChart | None, Changes | None]:
        """Draw the answers, once for all pages that show them."""
        if asked is None:
            return None, None
        if self._drawn is None or self._drawn[0] is not asked:
            self._drawn = asked, cost_chart(asked), changes(asked)
        return self._drawn[1:]

    def _render(self, snapshot: Snapshot, asked: Asked | None, now: datetime) -> str:
        known = summary(snapshot, now)
        passed = passed_thresholds(snapshot, now)
        chart, changed = self._charts(asked)
        sentences = snapshot.coverage.sentences()
        return self._template.render(
            version=self._version,
            grafana_url=self._grafana_url,
            docs_url=DOCS,
            ready=snapshot.ready,
            summary=known,
            as_of=moment_text(snapshot.built_at),
            as_of_words=moment(snapshot.built_at.astimezone(UTC)),
            costs_as_of=moment_text(asked.as_of) if asked else "",
            asks=self._asks,
            since={name: snapshot.coverage.covered_from_text(name) for name in HEADINGS},
            passed=passed[:MOST_SHOWN],
            passed_more=max(len(passed) - MOST_SHOWN, 0),
            has_alerts=bool(snapshot.budgets or snapshot.sources),
            rates=_largest_rates(known),
            chart=chart,
            chart_days=DAYS,
            services=service_rows(asked, known),
            services_in_all=len(known["by_service"]),
            changes=changed,
            budgets=budget_rows(snapshot, known, now),
            budgets_more=max(len(snapshot.budgets) - BUDGETS_SHOWN, 0),
            run_services=run_rows(snapshot),
            savings=savings(snapshot),
            sources=source_rows(snapshot, now),
            beginnings=sentences[:_BILLS_SHOWN],
            beginnings_more=max(len(sentences) - _BILLS_SHOWN, 0),
        )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("exporter.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    made.filters |= {
        "dollars": dollars,
        "signed_percent": signed_percent,
        "moment": moment,
        "utc": moment_text,
    }
    made.globals["forms"] = FORMS
    return made


def _printable(value: Any) -> Any:
    """Replace characters that no document may have, such as those that names of SKUs can contain."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(each if each.isprintable() else " " if each.isspace() else "\ufffd" for each in value)


def _largest_rates(known: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    largest = sorted(known["by_service"], key=lambda each: -each["burn_rate_usd_per_hour"])
    return [each for each in largest[:_RATES_SHOWN] if each["burn_rate_usd_per_hour"] > 0]


def _asset(name: str) -> bytes:
    return files("exporter.web.page").joinpath("templates", name).read_bytes()
