"""The questions of docs/api.md that take one command have an answer, as they are written there."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from exporter.analysis.bill.attribution import Attribution
from exporter.core.charges import tags_text
from exporter.core.llm_meters import GCP_LLM_SERVICE_IDS
from exporter.ledger.charges.store import Ledger
from exporter.ledger.unit_counts import KeptUnitCounts, UnitCount
from exporter.metrics.attribution import BusinessUnit
from exporter.metrics.model_names import ModelNames
from exporter.metrics.summary_schema import Summary
from exporter.questions.asking import Questions, Running
from exporter.questions.dimensions import Dimensions
from tests.support import places
from tests.support.charge_rows import charge, put
from tests.support.question_world import NOW, ZONES

SECTION = (places.REPOSITORY / "docs" / "api.md").read_text().partition("### In one command")[2]
ADDRESSES = re.findall(r"`curl -s '(http[^']+)'`", SECTION.partition("\n## ")[0])


def test_five_questions_are_there() -> None:
    assert len(ADDRESSES) == 5


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_command_has_an_answer(address: str, tmp_path: Path) -> None:
    asked = urlsplit(address)
    if asked.path == "/api/v1/summary":
        assert "forecast_end_usd" in json.dumps(Summary.model_json_schema())
        return
    ledger = Ledger(None)
    tags = tags_text({"label:branch": "checkout-redesign", "label:team": "core"})
    days = [date(2026, 11, day) for day in range(1, 18)]
    rows = [
        charge("2", charge_period_start=datetime(day.year, day.month, day.day, 18, tzinfo=UTC), tags=tags)
        for day in days
    ]
    put(ledger, tmp_path, "all", *rows)
    KeptUnitCounts(ledger).keep([UnitCount("order", day, 8.0, "q", ZONES["gcp"]) for day in days])
    dimensions = Dimensions(
        ("label:branch", "label:team"),
        Attribution(),
        ModelNames(GCP_LLM_SERVICE_IDS),
        (BusinessUnit("order"),),
    )
    questions = Questions(lambda: ledger.view(["files"]), dimensions, ZONES, clock=lambda: NOW)
    query = parse_qsl(asked.query)
    if asked.path == "/api/v1/explain":
        assert "$2.00" in questions.explain(query, Running()).body.decode()
    else:
        assert asked.path == "/api/v1/costs"
        answer = json.loads(questions.costs(query, Running()).body)
        assert answer["total"] == "34"
        if "per" in dict(query):
            assert answer["per_unit"]["usd_per_unit"] == 0.25
    ledger.close()
