"""`serve` sends reports once per period, also when it is killed, by a real mail server."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.ledger.charges.store import Ledger
from tests.reports.delivery.smtp_server import MailHost, mail_host
from tests.support.charge_rows import charge, put
from tests.support.exposed import until
from tests.support.running import Running
from tests.support.served_ledger import served

pytestmark = [pytest.mark.integration]

DAY = timedelta(days=1)


@pytest.fixture
def host() -> Iterator[MailHost]:
    with mail_host() as found:
        yield found


def config(folder: Path, host: MailHost, *names: str) -> Path:
    """Write a configuration with daily reports of these names, all due by now."""
    mail = {"host": "127.0.0.1", "port": host.port, "encryption": "none"}
    mail |= {"sender": "spend@example.com", "to": "ann@example.com"}
    document = {
        "ledger": str(folder / "spend.duckdb"),
        "listen": "127.0.0.1:0",
        "gcp": {"billing_export": {"files": [str(folder / "none/*.csv")]}},
        "reports": [{"name": name, "period": "day", "at": "00:00", "mail": mail} for name in names],
    }
    path = folder / "config.yml"
    path.write_text(json.dumps(document))
    return path


def remembered(folder: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((folder / "spend.duckdb.reports.json").read_text())
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger of some days, and reports that were last sent long ago."""
    ledger = Ledger(tmp_path / "spend.duckdb")
    now = datetime.now(UTC)
    put(ledger, tmp_path, "all", *(charge("3", charge_period_start=now - days * DAY) for days in range(9)))
    ledger.close()
    old = {"period": "2020-01-01", "at": "2020-01-02T00:00:00+00:00", "outcome": "sent"}
    memory = {f"{name}/mail": old for name in ("one", "two")}
    (tmp_path / "spend.duckdb.reports.json").write_text(json.dumps(memory))
    return tmp_path


def sent(program: Running, name: str) -> bool:
    return f"report {name}: " in program.log() and "was sent (mail)" in program.log()


def test_a_report_is_not_sent_again_after_a_kill(folder: Path, host: MailHost) -> None:
    with served(config(folder, host, "one")) as program:
        until(lambda: sent(program, "one"), "the report")
        program.end(signal.SIGKILL)
    with served(config(folder, host, "one", "two")) as program:
        # The reports are looked at in order: the first was passed over by then.
        until(lambda: sent(program, "two"), "the other report")
        program.end()
    ids = [mail["Message-ID"] for mail in host.received]
    assert len(ids) == len(set(ids)) == 2
    assert {each["outcome"] for each in remembered(folder).values()} == {"sent"}


def test_a_kill_before_the_server_answered_sends_a_copy_with_the_same_id(
    folder: Path, host: MailHost
) -> None:
    with served(config(folder, host, "one")) as program:
        host.before_answer = program.process.kill
        program.process.wait(60)
    host.before_answer = lambda: None
    assert remembered(folder)["one/mail"]["period"] == "2020-01-01"
    with served(config(folder, host, "one")) as program:
        until(lambda: sent(program, "one"), "the report")
        program.end()
    first, copy = host.received
    assert first["Message-ID"] == copy["Message-ID"]


def test_a_server_that_is_away_does_not_stop_the_exporter(folder: Path, host: MailHost) -> None:
    host.answers = ["554 no"]
    with served(config(folder, host, "one")) as program:
        until(lambda: "was not sent (mail)" in program.log(), "the refusal")
        assert "tried again in 60 minutes" in program.log()
        assert program.get("/healthz")[0] == 200
        assert program.end() == 0
    assert remembered(folder)["one/mail"]["period"] == "2020-01-01"
