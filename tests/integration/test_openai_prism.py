"""The OpenAI source against Prism, which answers as OpenAI's description of its API says, or invents it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter.core.errors import SourceError
from exporter.sources.llm.openai import OpenAISource
from tests.fakes.llm_admin import OPENAI_KEY
from tests.integration.prism_server import running_prism
from tests.support.llm_sources import Told, fresh_context, quick, told_by

pytestmark = pytest.mark.integration

DOCUMENT = Path(__file__).parents[1] / "data" / "openai_admin_usage_subset.json"
EXAMPLES_AT = datetime(2024, 11, 1, 5, tzinfo=UTC)
"""In the hour and on the day that the examples are of."""
ROUNDS = 12


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    folder = tmp_path_factory.mktemp("prism")

    def serve(*, dynamic: bool = False, usable: bool = False) -> Any:
        document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
        document["paths"] = {f"/v1{path}": each for path, each in document["paths"].items()}
        responses = document["components"]["responses"]
        for methods in document["paths"].values():
            # It leaves out the refusals but one; all have the same form.
            methods["get"]["responses"] |= dict.fromkeys(("401", "422"), responses["TooManyRequests"])
        if usable:
            _make_examples_usable(document)
        path = folder / f"{dynamic}-{usable}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return running_prism(path, folder / "prism.log", dynamic=dynamic)

    return serve


def _make_examples_usable(document: dict[str, Any]) -> None:
    """The examples of usage are of whole days, and one has a next page that leads to itself."""
    for path, methods in document["paths"].items():
        page = methods["get"]["responses"]["200"]["content"]["application/json"]["example"]
        if "/usage/" in path:
            page["data"][0]["end_time"] = page["data"][0]["start_time"] + 3600
            page.update(has_more=False, next_page=None)


def preferring(source: OpenAISource, prefer: str) -> OpenAISource:
    """The source, asking Prism for a certain answer."""

    class Preferring(OpenAISource):
        @property
        def admin_api(self) -> Any:
            def headers(key: str) -> Mapping[str, str]:
                return {"Authorization": f"Bearer {key}", "Prefer": prefer}

            return replace(source.admin_api, headers=headers)

    return quick(Preferring, OPENAI_KEY, source.base_url)  # type: ignore[no-any-return]


def test_the_documented_examples_are_read_as_documented(served: Any, tmp_path: Path) -> None:
    with served(usable=True) as address:
        source = quick(OpenAISource, OPENAI_KEY, address, usage_days=1)
        told = told_by(source, fresh_context(tmp_path / "spool", EXAMPLES_AT))
    assert told.usd == Decimal("0.06")
    assert told.set_aside == []
    tokens = {
        kind: n for (meter, kind), n in told.sums("meter", "dimension").items() if meter == "llm_tokens"
    }
    assert tokens == {"input": 500 + 16 + 16, "cache_read": 400, "cache_write": 100, "output": 500}
    assert source.spend_limit_usd is None


def test_an_example_that_repeats_itself_for_ever_is_refused_and_the_bill_is_there(
    served: Any, tmp_path: Path
) -> None:
    told = Told()
    with served() as address:
        source = quick(OpenAISource, OPENAI_KEY, address)
        with pytest.raises(SourceError, match="pages form a loop") as raised:
            told_by(source, fresh_context(tmp_path / "spool", EXAMPLES_AT), told)
        for status, reason in ((401, "unauthorized"), (422, "bad_request"), (429, "rate_limited")):
            with pytest.raises(SourceError, match="failed: ") as refused:
                told_by(preferring(source, f"code={status}"), fresh_context(tmp_path / "spool", EXAMPLES_AT))
            assert refused.value.reason == reason, str(refused.value)
            assert OPENAI_KEY not in str(refused.value)
    assert raised.value.reason == "bad_response"
    assert told.usd == Decimal("0.06")
    assert told.usage == []


def test_invented_answers_are_survived(served: Any, tmp_path: Path) -> None:
    outcomes = set()
    with served(dynamic=True) as address:
        for _ in range(ROUNDS):
            told = Told()
            source = quick(OpenAISource, OPENAI_KEY, address, history_days=1, usage_days=1)
            try:
                told_by(source, fresh_context(tmp_path / "spool", EXAMPLES_AT), told)
                outcomes.add("read")
            except SourceError as error:
                outcomes.add(error.reason)
            assert told.usd < 10**12
            assert all(point["value"] >= 0 for point in told.points)
            assert all(read.since < read.until for batch in told.usage for read in batch.reads)
    assert outcomes <= {"read", "bad_response", "unavailable", "bad_request"}
