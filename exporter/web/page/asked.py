"""What the page asks of the ledger: cost by day and service, and why it changed. Once for each snapshot.

The answers are found in a thread of their own while somebody looks at the page, and never take more than a
tenth of that thread's time; until they are there the page shows the ones before.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import duckdb

from exporter.ledger.opening import LedgerError
from exporter.questions.asking import Questions, Running
from exporter.questions.cost_answer import CostAnswer
from exporter.questions.cost_question import CostParameters
from exporter.questions.explain_answer import ExplainAnswer, ExplainParameters
from exporter.questions.problem import QuestionError
from exporter.web.running_question import ended_or_stopped

DAYS: Final = 45
"""How many days the page shows."""
SERVICES: Final = 10
_COMPARED_DAYS: Final = 7
_CAUSES: Final = 6

_LONGEST_SECONDS: Final = 10.0
_REST: Final = 9.0
"""The thread rests for so many times as long as it has worked."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """The answers."""

    as_of: datetime
    """When the snapshot was built."""
    costs: CostAnswer
    settled_to: date | None
    """The first day of which much may still arrive: that of the provider with the largest bill."""
    changes: ExplainAnswer | None
    """None where too few days are settled."""


class AskedOnce:
    """Keeps the answers of the latest snapshot. For use from one event loop; close it afterwards."""

    def __init__(self, questions: Questions | None) -> None:
        """Without `questions` there are never any answers."""
        self._questions = questions
        self._executor = ThreadPoolExecutor(1, "page")
        self._asking: asyncio.Task[None] | None = None
        self._latest: Asked | None = None
        self._version: datetime | None = None
        self._rests_until = 0.0
        self._closing = False

    async def answers(self, version: datetime, *, wait_seconds: float) -> Asked | None:
        """Return the answers for a snapshot; older ones where new ones are not there in time."""
        if self._due(version):
            self._asking = asyncio.create_task(self._ask(version))
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=wait_seconds)
        return self._latest

    def close(self) -> None:
        """Stop asking."""
        self._closing = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _due(self, version: datetime) -> bool:
        now = asyncio.get_running_loop().time()
        return (
            self._questions is not None
            and not self._closing
            and version != self._version
            and (self._asking is None or self._asking.done())
            and now >= self._rests_until
        )

    async def _ask(self, version: datetime) -> None:
        loop = asyncio.get_running_loop()
        running, started = Running(), loop.time()
        asked = self._executor.submit(self._found, version, running)

        def why_stop() -> str | None:
            return "late" if self._closing or loop.time() > started + _LONGEST_SECONDS else None

        await ended_or_stopped(asked, running, why_stop)
        found = None if asked.cancelled() else asked.result()
        if found is not None:
            self._latest = found
        self._version = version
        self._rests_until = loop.time() + _REST * (loop.time() - started)

    def _found(self, version: datetime, running: Running) -> Asked | None:
        if self._questions is None:
            return None
        try:
            return ask(self._questions, version, running)
        except (QuestionError, LedgerError, duckdb.Error) as error:
            log.warning("the page shows older costs by day, because the ledger was not read: %s", error)
        except Exception:
            log.exception("the page shows older costs by day, because of a fault in a question")
        return None


def ask(questions: Questions, version: datetime, running: Running) -> Asked:
    """Ask for everything. Raises QuestionError, LedgerError and duckdb.Error."""
    wanted = CostParameters(from_=f"now-{DAYS - 1}d", step="day", by="provider,service", top=SERVICES)
    costs = questions.cost_answer(wanted, running)
    settled_to = _settled_to(costs)
    return Asked(version, costs, settled_to, _changes(questions, running, costs, settled_to))


def _changes(
    questions: Questions, running: Running, costs: CostAnswer, settled_to: date | None
) -> ExplainAnswer | None:
    known = [point.start for point in costs.points if point.value is not None]
    if settled_to is None or not known:
        return None
    first = settled_to - timedelta(days=_COMPARED_DAYS)
    if first - timedelta(days=_COMPARED_DAYS) < date.fromisoformat(known[0]):
        return None
    wanted = ExplainParameters(from_=str(first), to=str(settled_to), top=_CAUSES)
    return questions.explain_answer(wanted, running)


def _settled_to(costs: CostAnswer) -> date | None:
    sums: dict[str, Decimal] = {}
    for group in costs.groups:
        provider = group.keys["provider"]
        sums[provider] = sums.get(provider, Decimal(0)) + Decimal(group.total or 0)
    bills = {bill.provider: bill for bill in costs.providers}
    largest = max((name for name in sums if name in bills), key=lambda name: sums[name], default=None)
    if largest is None:
        return None
    bill = bills[largest]
    return datetime.fromisoformat(bill.settled_to).astimezone(ZoneInfo(bill.timezone)).date()
