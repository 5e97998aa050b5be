"""Counters of tokens in a refresher whose sources of one provider take over from each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from exporter.core import llm_meters
from exporter.core.charges import UsagePoint
from exporter.core.errors import SourceError
from exporter.ledger.charges.store import Ledger
from exporter.refresh.refresher import Refresher
from exporter.sources.base import RefreshContext, UsageAddition
from exporter.sources.spool import write_usage_csv
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import HOUR
from tests.support.exposed import by, samples

NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)

_numbers = count()


@dataclass(eq=False, kw_only=True)
class Usage(TestedSource):
    """Reports so many tokens of one model at the next refresh, or fails."""

    name: str = ""
    provider: str = "openai"
    tokens: float | None = None

    def refresh(self, context: RefreshContext) -> Iterator[UsageAddition]:
        if self.tokens is None:
            raise SourceError("permission_denied", "give it an admin key")
        point = UsagePoint(
            "openai",
            "",
            "",
            "",
            "model",
            "",
            llm_meters.TOKENS,
            "input",
            NOW,
            NOW + HOUR,
            self.tokens,
            "tokens",
        )
        number = next(_numbers)
        spool = write_usage_csv(context.spool / f"{number}.csv", [point])
        yield UsageAddition(f"part/{number}", "cursor", spool, 1)


@pytest.fixture
def logs() -> Usage:
    return Usage(name="usage_logs", tokens=10)


@pytest.fixture
def api() -> Usage:
    return Usage(name="openai")


@pytest.fixture
def refresher(tmp_path: Path, logs: Usage, api: Usage) -> Iterator[Refresher]:
    ledger = Ledger(None)
    yield Refresher(
        [logs, api],
        ledger,
        tmp_path,
        interval=timedelta(minutes=15),
        keep=timedelta(days=400),
        max_series=1000,
        clock=lambda: NOW,
    )
    ledger.close()


def tokens(refresher: Refresher) -> float | None:
    refresher.rebuild()
    return by(samples(refresher.snapshot.text)["spend_llm_tokens_total"]).get(())


@pytest.mark.slow
def test_tokens_are_not_shown_before_the_source_that_owns_them_has_been_tried(
    refresher: Refresher, logs: Usage, api: Usage
) -> None:
    refresher.refresh(logs)
    assert tokens(refresher) is None
    api.tokens = 500
    refresher.refresh(api)
    assert tokens(refresher) == 500


@pytest.mark.slow
def test_an_api_that_answers_later_adds_only_what_it_reports_from_then_on(
    refresher: Refresher, logs: Usage, api: Usage
) -> None:
    refresher.refresh(logs)
    assert not refresher.refresh(api)
    assert tokens(refresher) == 10
    api.tokens = 500
    refresher.refresh(api)
    assert tokens(refresher) == 10
    api.tokens = 3
    refresher.refresh(api)
    refresher.refresh(logs)
    assert tokens(refresher) == 13
