"""Questions to a running server: who may ask, how many at once, and that scrapes do not wait for them."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bcrypt
import duckdb
import pytest

from exporter.ledger.charges.store import Ledger
from exporter.questions.asking import Answered, Questions, Running
from exporter.web.server import Server
from exporter.web.web_config import WebConfig
from tests.support.charge_rows import put
from tests.support.exposed import DEADLINE_SECONDS, until
from tests.support.question_world import NOW, ZONES, asked_ledger, dimensions, many_charges
from tests.support.served import request, snapshot

LOOPBACK = ("127.0.0.1", 0)


def serving(questions: Questions, **more: object) -> Server:
    current = snapshot()
    return Server(LOOPBACK, lambda: current, questions=questions, now=lambda: NOW, **more)  # type: ignore[arg-type]


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Questions]:
    with asked_ledger(tmp_path, many_charges(3)) as found:
        yield found


class Held(Questions):
    """Questions that are answered once a test says so, or run a statement that never ends by itself."""

    def __init__(self, ledger: Ledger, *, endless: bool = False) -> None:
        super().__init__(lambda: ledger.view(["files"]), dimensions(), ZONES, clock=lambda: NOW)
        self.ledger = ledger
        self.endless = endless
        self.released = threading.Event()
        self.begun = 0
        self.interrupted = 0

    def costs(self, query: Sequence[tuple[str, str]], running: Running) -> Answered:
        self.begun += 1
        if self.endless:
            with self.ledger.reading() as connection, running.reads(connection):
                try:
                    connection.execute(
                        "SELECT count(*) FROM range(1000000000000) a, range(1000) b"
                    ).fetchall()
                except duckdb.InterruptException:
                    self.interrupted += 1
                    raise
        assert self.released.wait(DEADLINE_SECONDS)
        return super().costs(query, running)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(None)
    put(made, tmp_path, "all", *(each for each in many_charges(3) if each.provider == "gcp"))
    yield made
    made.close()


@pytest.mark.slow
def test_a_question_is_answered_as_json_and_csv(asked: Questions) -> None:
    with serving(asked) as server:
        found = request(server, "/api/v1/costs?by=service&from=2026-11-01&top=1")
        rows = request(server, "/api/v1/costs?by=service&format=csv")
    assert (found.status, found.headers["Content-Type"]) == (200, "application/json")
    assert json.loads(found.body)["by"] == ["service"]
    assert rows.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert rows.body.startswith(b"start,end,service,net_usd,settled\n")


@pytest.mark.slow
def test_a_wrong_question_gets_its_parameter_and_what_to_do(asked: Questions) -> None:
    with serving(asked) as server:
        found = request(server, "/api/v1/costs?by=servcie")
        posted = request(server, "/api/v1/costs", method="POST")
    assert found.status == 400
    document = json.loads(found.body)
    assert document["parameter"] == "by"
    assert "did you mean service" in document["error"]
    assert posted.status == 405


@pytest.mark.slow
def test_questions_need_the_same_user_as_metrics(asked: Questions) -> None:
    hashes = {"ann": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()}
    with serving(asked, web_config=WebConfig(password_hashes=hashes)) as server:
        assert request(server, "/api/v1/costs").status == 401
        authorization = "Basic " + base64.b64encode(b"ann:secret").decode()
        assert request(server, "/api/v1/costs", {"Authorization": authorization}).status == 200


@pytest.mark.slow
def test_of_fifty_questions_at_once_each_is_answered_or_told_to_come_back(ledger: Ledger) -> None:
    held = Held(ledger)
    with serving(held) as server, ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(request, server, "/api/v1/costs?by=service") for _ in range(50)]
        until(lambda: sum(each.done() for each in answers) == 34, "the others are refused")
        took = []
        for _ in range(20):
            started = time.perf_counter()
            assert request(server, "/metrics").status == 200
            took.append(time.perf_counter() - started)
        held.released.set()
        found = [each.result() for each in answers]
    assert Counter(each.status for each in found) == {200: 16, 429: 34}
    refused = next(each for each in found if each.status == 429)
    assert refused.headers["Retry-After"] == "1"
    assert "16 questions are being answered" in json.loads(refused.body)["error"]
    assert sorted(took)[10] < 0.5


@pytest.mark.slow
def test_a_question_ends_when_its_client_hangs_up(ledger: Ledger) -> None:
    held = Held(ledger, endless=True)
    with serving(held) as server:
        client = socket.create_connection(server.address, timeout=DEADLINE_SECONDS)
        client.sendall(b"GET /api/v1/costs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: held.begun == 1, "the question runs")
        client.close()
        until(lambda: held.interrupted == 1, "the question is stopped")


@pytest.mark.slow
def test_a_running_question_does_not_hold_up_the_end_of_the_server(ledger: Ledger) -> None:
    held = Held(ledger, endless=True)
    with serving(held) as server, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(request, server, "/api/v1/costs")
        until(lambda: held.begun == 1, "the question runs")
        server.stop()
        assert answer.result().status == 503
    assert held.interrupted == 1


def test_without_a_ledger_there_are_no_answers() -> None:
    current = snapshot()
    with Server(LOOPBACK, lambda: current) as server:
        assert request(server, "/api/v1/costs").status == 404
