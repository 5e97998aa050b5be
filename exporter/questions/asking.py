"""Answers questions as bytes, each from one consistent state of the ledger. Any thread may ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import duckdb

from exporter.ledger.charges.windows import LedgerView
from exporter.questions.bills import Bills, bills_of
from exporter.questions.cost_answer import CostAnswer
from exporter.questions.cost_csv import costs_csv
from exporter.questions.cost_question import CostParameters, read_parameters
from exporter.questions.costs import answer_costs
from exporter.questions.dimensions import Dimensions
from exporter.questions.explain import answer_explain
from exporter.questions.explain_answer import ExplainAnswer, ExplainParameters
from exporter.questions.explain_text import explain_text

JSON: Final = "application/json"
CSV: Final = "text/csv"
TEXT: Final = "text/plain"

Query = Sequence[tuple[str, str]]
"""Names and values as they were sent."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer to send."""

    body: bytes
    content_type: str


class Running:
    """A question that is being answered, so that another thread can stop it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def reads(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Let the block's statements be stopped."""
        with self._lock:
            self._connection = connection
        try:
            yield
        finally:
            with self._lock:
                self._connection = None

    def stop(self) -> None:
        """Stop the statement that runs now, if any: it raises duckdb.InterruptException."""
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()


class Questions:
    """Answers questions about the ledger."""

    def __init__(
        self,
        state: Callable[[], AbstractContextManager[LedgerView]],
        dimensions: Dimensions,
        zones: Mapping[str, str],
        *,
        clock: Callable[[], datetime],
        missing_sources: Callable[[], Sequence[str]] = tuple,
        version: Callable[[], object] | None = None,
    ) -> None:
        """`state` opens one consistent state; `zones` is the billing zone by provider.

        How far the bills reach is read again when `version` has changed, or each time without it.
        """
        self._state = state
        self._dimensions = dimensions
        self._zones = zones
        self._clock = clock
        self._missing_sources = missing_sources
        self._version = version
        self._bills: tuple[object, Bills] | None = None

    def costs(self, query: Query, running: Running) -> Answered:
        """Answer /api/v1/costs. Raises QuestionError, LedgerError and duckdb.Error."""
        parameters = read_parameters(CostParameters, query)
        answer = self.cost_answer(parameters, running)
        if parameters.format == "csv":
            return Answered(costs_csv(answer).encode(), CSV)
        return Answered(answer.model_dump_json(by_alias=True).encode() + b"\n", JSON)

    def explain(self, query: Query, running: Running) -> Answered:
        """Answer /api/v1/explain. Raises QuestionError, LedgerError and duckdb.Error."""
        parameters = read_parameters(ExplainParameters, query)
        answer = self.explain_answer(parameters, running)
        if parameters.format == "text":
            return Answered(explain_text(answer).encode(), TEXT)
        return Answered(answer.model_dump_json(by_alias=True).encode() + b"\n", JSON)

    def cost_answer(self, parameters: CostParameters, running: Running) -> CostAnswer:
        """Return what was billed. Raises QuestionError, LedgerError and duckdb.Error."""
        with self._state() as view, running.reads(view.connection):
            bills = self._bills_of(view)
            return answer_costs(view, parameters, self._dimensions, bills, now=self._clock())

    def explain_answer(self, parameters: ExplainParameters, running: Running) -> ExplainAnswer:
        """Return why a cost changed. Raises QuestionError, LedgerError and duckdb.Error."""
        with self._state() as view, running.reads(view.connection):
            bills = self._bills_of(view)
            return answer_explain(view, parameters, self._dimensions, bills, self._clock())

    def _bills_of(self, view: LedgerView) -> Bills:
        version = self._version() if self._version else object()
        known = self._bills
        if known is None or known[0] != version:
            found = bills_of(view, self._zones, self._clock(), self._missing_sources())
            self._bills = known = version, found
        return known[1]
