"""Why services rose, one sentence each: for the messages of alerts, which can ask nothing themselves."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from exporter.ledger.charges.windows import LedgerView, Window
from exporter.metrics.unusual_cost import Rise
from exporter.questions.bills import bills_of
from exporter.questions.dimensions import Dimensions
from exporter.questions.explain import Spans, reason_of
from exporter.questions.problem import QuestionError
from exporter.questions.times import Span

logger = logging.getLogger(__name__)


def reasons(
    view: LedgerView,
    rises: Sequence[Rise],
    now: datetime,
    *,
    dimensions: Dimensions,
    zones: Mapping[str, str],
) -> dict[Rise, str]:
    """Return why each rise happened, where the bill shows it; `zones` has billing zones by provider."""
    bills = bills_of(view, zones, now)
    found: dict[Rise, str] = {}
    for rise in rises:
        bill = bills.by_provider.get(rise.provider)
        if bill is None:
            continue
        spans = Spans(_span(rise.before, bill.timezone), _span(rise.window, bill.timezone))
        try:
            reason = reason_of(
                view, dimensions, bills, provider=rise.provider, service=rise.service_name, spans=spans
            )
        except QuestionError as error:
            # A service of very many SKUs and projects: its rise is shown without a reason.
            logger.info("no reason is looked for why %s rose: %s", rise.service_name, error)
            continue
        if reason is not None and float(reason[1].usd) >= rise.least_billed_usd:
            found[rise] = reason[0]
    return found


def _span(window: Window, zone: str) -> Span:
    return Span(window[0], window[1], {zone: window})
