"""Makes reports, each from one consistent state of the ledger. Any thread may ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final

from exporter.ledger.charges.windows import LedgerView
from exporter.questions.asking import CSV, JSON, Answered, Query, Running
from exporter.questions.bills import bills_of
from exporter.questions.cost_question import read_parameters
from exporter.questions.dimensions import Dimensions
from exporter.questions.report_answer import Report
from exporter.questions.report_question import ReportParameters
from exporter.reports.beside import Beside
from exporter.reports.building import build_report
from exporter.reports.rendering import figures_csv, markdown

MARKDOWN: Final = "text/markdown"


class Reports:
    """Makes reports from the ledger."""

    def __init__(
        self,
        state: Callable[[], AbstractContextManager[LedgerView]],
        dimensions: Dimensions,
        zones: Mapping[str, str],
        beside: Callable[[LedgerView, datetime], Beside],
        *,
        clock: Callable[[], datetime],
        missing_sources: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """`state` opens one consistent state; `zones` is the billing zone by provider."""
        self._state = state
        self._dimensions = dimensions
        self._zones = zones
        self._beside = beside
        self._clock = clock
        self._missing_sources = missing_sources

    def make(self, parameters: ReportParameters, running: Running | None = None) -> Report:
        """Return a report. Raises QuestionError, LedgerError and duckdb.Error."""
        now = self._clock()
        with self._state() as view, (running or Running()).reads(view.connection):
            bills = bills_of(view, self._zones, now, self._missing_sources())
            return build_report(
                view, parameters, self._dimensions, bills, now=now, beside=self._beside(view, now)
            )

    def answer(self, query: Query, running: Running) -> Answered:
        """Answer /api/v1/report. Raises QuestionError, LedgerError and duckdb.Error."""
        parameters = read_parameters(ReportParameters, query)
        report = self.make(parameters, running)
        if parameters.format == "csv":
            return Answered(figures_csv(report).encode(), CSV)
        if parameters.format == "markdown":
            return Answered(markdown(report).encode(), MARKDOWN)
        return Answered(report.model_dump_json(by_alias=True).encode() + b"\n", JSON)
