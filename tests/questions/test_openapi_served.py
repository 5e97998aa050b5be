"""A running server serves the description of its API, and every answer is as described."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from exporter.ledger.charges.store import Ledger
from exporter.questions.openapi import openapi_document
from exporter.web.server import Server
from tests.support.charge_rows import put
from tests.support.question_world import NOW, many_charges, questions
from tests.support.report_world import reports
from tests.support.served import request, snapshot

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ledger, current = Ledger(None), snapshot()
    put(ledger, tmp_path_factory.mktemp("ledger"), "all", *many_charges(2))
    asked, report = questions(ledger), reports(ledger).answer
    with Server(
        ("127.0.0.1", 0), lambda: current, questions=asked, report=report, now=lambda: NOW
    ) as running:
        yield running
    ledger.close()


def test_the_server_has_the_same_description(server: Server) -> None:
    assert json.loads(request(server, "/api/v1/openapi.json").body) == openapi_document()


schema = schemathesis.openapi.from_dict(openapi_document())


@schema.parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: schemathesis.Case, server: Server) -> None:
    response = case.call(base_url=server.url.rstrip("/"))
    # What a dimension or a condition may be depends on the configuration.
    case.validate_response(response, excluded_checks=[positive_data_acceptance])
    assert response.status_code in (200, 400, 405)
