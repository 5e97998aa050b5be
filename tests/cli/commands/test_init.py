"""`init` writes a configuration of what it finds, asks what it cannot know, and replaces no file unasked."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from exporter.cli.commands.init_questions import Questions
from exporter.cli.main import main
from exporter.config.model import load
from tests.fakes.bigquery_export import DAILY_TABLE, FakeExport
from tests.fakes.bigquery_rest import FakeBigQuery
from tests.fakes.web_api import Reply, WebApi
from tests.support.export_rows import SCHEMA

TABLE = "pay.billing.gcp_billing_export_resource_v1_0A0A0A_0B0B0B_0C0C0C"
SECOND = "pay.billing.gcp_billing_export_v1_1A1A1A_1B1B1B_1C1C1C"
FOCUS_HEADER = (
    "BilledCost,BillingAccountId,BillingAccountName,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,"
    "ChargeCategory,ChargePeriodEnd,ChargePeriodStart,ProviderName,ServiceName\n"
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBigQuery]:
    export = FakeExport()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for days in range(5):
        export.add_day(today - timedelta(days=days))
    resource = {**DAILY_TABLE, "schema": {"fields": json.loads(SCHEMA.read_text())}}
    with FakeBigQuery(export, tables={TABLE: resource}, token="ya29.secret") as running:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", running.address)
        yield running


@pytest.fixture(autouse=True)
def billing(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebApi]:
    accounts = [
        {"name": f"billingAccounts/{number}", "displayName": name, "open": True}
        for number, name in (("0A0A0A-0B0B0B-0C0C0C", "Northwind"), ("2A2A2A-2B2B2B-2C2C2C", "Labs"))
    ]
    with WebApi(lambda _asked: Reply(body={"billingAccounts": accounts})) as api:
        monkeypatch.setattr("exporter.cli.commands.init_google.BILLING_URL", api.address)
        yield api


@pytest.fixture
def key_file(server: FakeBigQuery, tmp_path: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content = {
        "type": "service_account",
        "project_id": "pay",
        "private_key_id": "0123",
        "private_key": key.decode(),
        "client_email": "exporter@pay.iam.gserviceaccount.com",
        "token_uri": f"{server.address}/token",
    }
    (tmp_path / "key.json").write_text(json.dumps(content))
    return tmp_path / "key.json"


@pytest.mark.slow
def test_with_credentials_alone_the_export_is_found(
    server: FakeBigQuery, key_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "made" / "spend.yml"
    output.parent.mkdir()

    code = main(["init", "--yes", "--no-check", "--credentials", str(key_file), "--output", str(output)])

    out, err = capfd.readouterr()
    assert code == 0
    assert "found " + TABLE in err
    assert "signed in to Google Cloud as exporter@pay.iam.gserviceaccount.com; 1 project is looked at" in err
    config = load(output)
    assert config.gcp is not None
    assert config.gcp.billing_account_id == "0A0A0A-0B0B0B-0C0C0C"
    assert config.gcp.project_ids == ("pay",)
    assert config.gcp.credentials_path == key_file
    assert f"next: spend-exporter serve --config {output}" in err
    assert "2A2A2A-2B2B2B-2C2C2C (Labs) has no export that can be seen: turn it on in the console" in err
    assert "ya29" not in out + err


def test_what_was_written_is_checked_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "spend.yml"
    bills = tmp_path / "bills.csv"

    assert main(["init", "--yes", "--no-google", "--focus", str(bills), "--output", str(output)]) == 1

    assert "TROUBLE" in capsys.readouterr().out
    assert output.exists()


def test_an_existing_file_is_replaced_only_with_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "spend.yml"
    output.write_text("mine")
    given = ["init", "--yes", "--no-google", "--no-check", "--focus", "*.csv", "--output", str(output)]

    assert main(given) == 2
    assert output.read_text() == "mine"
    assert "exists already" in capsys.readouterr().err
    assert main([*given, "--force"]) == 0
    assert load(output).focus is not None


def test_where_nothing_is_found_nothing_is_written_and_the_flags_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "spend.yml"

    assert main(["init", "--yes", "--no-google", "--output", str(output)]) == 1

    assert not output.exists()
    assert "spend-exporter init --help" in capsys.readouterr().err


def test_relative_globs_are_those_of_the_working_folder_wherever_the_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bills").mkdir()
    (tmp_path / "etc").mkdir()
    (tmp_path / "bills" / "a.csv").write_text(FOCUS_HEADER)
    monkeypatch.chdir(tmp_path)

    main(
        ["init", "--yes", "--no-google", "--no-check", "--focus", "bills/*.csv", "--output", "etc/spend.yml"]
    )

    focus = load(Path("etc/spend.yml")).focus
    assert focus is not None
    assert focus.files == (str(tmp_path / "bills" / "*.csv"),)


@pytest.mark.slow
def test_a_person_at_a_terminal_is_asked_and_the_enter_key_takes_the_default(tmp_path: Path) -> None:
    (tmp_path / "openai.key").write_text("sk-admin-secret")
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "exporter", "init", "--no-google", "--no-check", "--output", "spend.yml"],
        cwd=tmp_path,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        os.close(terminal)
        shown = _Screen(controller)
        for question, answer in (
            ("OpenAI admin key [none]:", "nowhere.key"),
            ("there is no file nowhere.key", ""),
        ):
            shown.wait_for(question)
            if answer:
                os.write(controller, f"{answer}\n".encode())
        os.write(controller, b"openai.key\n")
        shown.wait_for("Anthropic admin key [none]:")
        os.write(controller, b"\n")
        shown.wait_for("such as bills/*.csv [none]:")
        os.write(controller, b"\n")
        shown.wait_for("for everything together [none]:")
        os.write(controller, b"much\n")
        shown.wait_for("write a number of dollars")
        os.write(controller, b"$2,500\n")
        shown.wait_for("next: spend-exporter serve --config spend.yml")
        assert process.wait(60) == 0
    shown.close()
    config = load(tmp_path / "spend.yml")
    assert config.budgets is not None
    assert config.budgets[0].limit_usd == 2500
    assert config.llm is not None
    assert config.llm.openai is not None
    assert config.llm.openai[0].admin_key_file == tmp_path / "openai.key"
    assert "sk-admin-secret" not in shown.text


class _Screen:
    """What a terminal has shown, read in a thread so that a wait can have an end."""

    def __init__(self, controller: int) -> None:
        self.text = ""
        self._controller = controller
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._controller, 4096)
            except OSError:
                return
            with self._changed:
                self.text += part.decode(errors="replace")
                self._changed.notify_all()

    def wait_for(self, words: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: words in self.text, 60), self.text

    def close(self) -> None:
        self._thread.join(10)
        os.close(self._controller)


def test_some_of_several_are_chosen_by_number_and_all_by_enter() -> None:
    items = ["a", "b", "c"]
    assert asked("2 3\n").some_of("Which?", items, str) == ["b", "c"]
    assert asked("\n").some_of("Which?", items, str) == items
    assert asked("7\n1\n").some_of("Which?", items, str) == ["a"]
    assert asked("").some_of("Which?", items, str) == items


def asked(typed: str) -> Questions:
    return Questions(io.StringIO(typed), io.StringIO())
