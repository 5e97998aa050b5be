"""The share of language models in a service that also sells machines, from the bill of the last two weeks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.core.llm_meters import GCP_LLM_SERVICE_IDS
from exporter.ledger.charges.store import Ledger
from exporter.metrics.llm import llm_shares
from exporter.metrics.model_names import ModelNames
from tests.support.charge_rows import charge, put

NOW = datetime(2026, 11, 20, 16, tzinfo=UTC)
VERTEX = {"service_id": GCP_LLM_SERVICE_IDS[0], "service_name": "Vertex AI"}
TOKENS = {**VERTEX, "sku_id": "A", "sku": "Gemini 2.5 Pro Text Input - Predictions"}
MACHINE = {**VERTEX, "sku_id": "B", "sku": "Custom Training: Nvidia L4 GPU running in Americas"}


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def shares(ledger: Ledger) -> dict[tuple[str, str], float]:
    with ledger.view(["files"]) as view:
        return llm_shares(view, NOW, ["gcp"], ModelNames(GCP_LLM_SERVICE_IDS))


def test_tokens_are_language_models_and_machines_are_not(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "all", charge("3", **TOKENS), charge("9", **MACHINE), charge("50"))
    assert shares(ledger) == {("gcp", "Vertex AI"): 0.25}


def test_credits_of_one_sku_leave_the_share_between_0_and_1(ledger: Ledger, tmp_path: Path) -> None:
    credit = charge("-8", **MACHINE, charge_category="credit")
    put(ledger, tmp_path, "all", charge("3", **TOKENS), charge("7", **MACHINE), credit)
    assert shares(ledger) == {("gcp", "Vertex AI"): 1.0}


@pytest.mark.parametrize("days", [15, 400])
def test_older_cost_does_not_count(ledger: Ledger, tmp_path: Path, days: int) -> None:
    old = NOW - timedelta(days=days)
    put(ledger, tmp_path, "all", charge("3", **TOKENS), charge("9", **MACHINE, charge_period_start=old))
    assert shares(ledger) == {("gcp", "Vertex AI"): 1.0}


def test_a_service_without_cost_has_no_share(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, "all", charge("0", **TOKENS), charge("50"))
    assert shares(ledger) == {}
