"""A real Alertmanager as configured here: what arrives by e-mail, Slack and webhook, and what does not."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import yaml

from tests.exposed import until
from tests.prometheus.amtool import FOLDER
from tests.prometheus.incident import (
    BILL_STALE,
    BURNING,
    BURNING_FAST,
    COST_PER_REQUEST,
    EXPORTER_DOWN,
    HALF_USED,
    INCIDENT,
    KEY,
    MODEL,
    SPIKE,
    Alert,
    source_failing,
)
from tests.prometheus.receivers import Hooks, Inbox, hooks, inbox, part

# Debian's package has the long name.
PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
TOKEN = "token-from-a-file"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(PROGRAM is None, reason="alertmanager is not installed"),
]


@dataclass(frozen=True)
class Alertmanager:
    url: str
    inbox: Inbox
    hooks: Hooks

    def tell(self, *alerts: Alert, resolved: bool = False) -> None:
        """Post alerts as Prometheus does."""
        now = datetime.now(UTC)
        body = json.dumps([alert.posted(now, resolved=resolved) for alert in alerts]).encode()
        asked = urllib.request.Request(
            f"{self.url}/api/v2/alerts", body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(asked, timeout=10) as response:
            assert response.status == 200

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            return str(response.read().decode())

    def message(self, receiver: str, number: int = 1) -> EmailMessage:
        """Wait for the n-th e-mail to a receiver."""
        until(lambda: len(self.inbox.of(receiver)) >= number, f"e-mail {number} to {receiver}")
        return self.inbox.of(receiver)[number - 1]


def shipped_configuration(folder: Path, inbox_port: int, hooks_url: str) -> Path:
    """The shipped file in a hurry, always in working hours, with its two examples put to use."""
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "slack_url").write_text(f"{hooks_url}/slack\n", encoding="utf-8")
    (secrets / "webhook_token").write_text(TOKEN, encoding="utf-8")
    text = (FOLDER / "alertmanager.yml").read_text(encoding="utf-8")
    config = yaml.safe_load(text.replace("/etc/alertmanager/secrets", str(secrets)))
    config["global"]["smtp_smarthost"] = f"127.0.0.1:{inbox_port}"
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "1s", "group_interval": "2s"}
        route.pop("active_time_intervals", None)
    receivers = {receiver["name"]: receiver for receiver in config["receivers"]}
    receivers["webhook"]["webhook_configs"][0]["url"] = f"{hooks_url}/webhook"
    receivers["spending"] |= {"slack_configs": receivers["slack"]["slack_configs"]}
    receivers["spending"] |= {"webhook_configs": receivers["webhook"]["webhook_configs"]}
    shutil.copytree(FOLDER / "templates", folder / "templates")
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        address = f"127.0.0.1:{found.getsockname()[1]}"
    with inbox() as mails, hooks() as posts:
        command = [
            str(PROGRAM),
            f"--config.file={shipped_configuration(tmp_path, mails.port, posts.url)}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address={address}",
            "--web.external-url=http://localhost:9093",
            "--web.route-prefix=/",
            "--cluster.listen-address=",
        ]
        log = tmp_path / "log"
        with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
            started = Alertmanager(f"http://{address}", mails, posts)

            def ready() -> bool:
                assert process.poll() is None, log.read_text(encoding="utf-8")
                with contextlib.suppress(OSError):
                    return started.get("/-/ready") == "OK"
                return False

            try:
                until(ready, "Alertmanager is ready")
                yield started
            finally:
                process.terminate()


def test_an_incident_is_one_message_with_its_figures_and_then_one_that_it_is_over(
    alertmanager: Alertmanager,
) -> None:
    alertmanager.tell(*INCIDENT)
    message = alertmanager.message("spending")
    assert message["Subject"].startswith("Critical: Budget shop was used 7.2 times faster")
    for alert in INCIDENT:
        assert alert.description in part(message, "plain")
        assert alert.annotations()["runbook_url"] in part(message, "html")
    assert "<b>+$18.42</b>" in part(message, "html")

    alertmanager.tell(*INCIDENT, resolved=True)
    over = alertmanager.message("spending", 2)
    assert over["Subject"] == f"Resolved: {BURNING_FAST.summary} (3 alerts)"
    assert part(over, "plain").count("RESOLVED: ") == 3
    assert [address for address, _ in alertmanager.inbox.received] == ["spending@localhost"] * 2

    until(lambda: len(alertmanager.hooks.received) == 4, "two messages in Slack and two at the webhook")
    told, ended = alertmanager.hooks.of("/webhook")
    assert (told.body["status"], ended.body["status"]) == ("firing", "resolved")
    assert told.authorization == f"Bearer {TOKEN}"
    assert {alert["annotations"]["description"] for alert in told.body["alerts"]} == {
        alert.description for alert in INCIDENT
    }
    firing, resolved = (posted.body["attachments"][0] for posted in alertmanager.hooks.of("/slack"))
    assert (firing["color"], resolved["color"]) == ("#b3261e", "#2e7d32")
    assert "*+$18.42* in the last hour" in firing["text"]
    assert resolved["title"] == f"Resolved: {BURNING_FAST.summary} (3 alerts)"


def test_an_alert_that_joins_an_incident_is_told_with_it(alertmanager: Alertmanager) -> None:
    alertmanager.tell(SPIKE)
    assert MODEL.summary not in part(alertmanager.message("spending"), "plain")
    alertmanager.tell(MODEL)
    both = part(alertmanager.message("spending", 2), "plain")
    assert SPIKE.description in both
    assert MODEL.description in both


def test_of_a_budget_only_the_worst_is_told(alertmanager: Alertmanager) -> None:
    other = {"budget": "research", "period": "month"}
    other_half = replace(HALF_USED, labels=other, description="Budget research is half used.")
    other_burning = replace(BURNING, labels=other, description="Budget research burns.")

    alertmanager.tell(BURNING, HALF_USED, other_half)
    digest = part(alertmanager.message("digest"), "plain")
    assert other_half.description in digest
    assert HALF_USED.description not in digest
    assert BURNING.description in part(alertmanager.message("spending"), "plain")

    alertmanager.tell(BURNING_FAST, other_burning)
    text = part(alertmanager.message("spending", 2), "plain")
    assert BURNING_FAST.description in text
    assert other_burning.description in text
    assert BURNING.description not in text

    alertmanager.tell(BURNING_FAST, resolved=True)
    assert BURNING.description in part(alertmanager.message("spending", 3), "plain")
    alertmanager.tell(BURNING, resolved=True)
    assert HALF_USED.description in part(alertmanager.message("digest", 2), "plain")


def test_while_the_bill_is_stale_alerts_made_from_it_wait(alertmanager: Alertmanager) -> None:
    full = replace(
        BURNING_FAST, labels={"budget": "ads", "period": "month"}, description="Budget ads is burning."
    )
    alertmanager.tell(BILL_STALE)
    assert BILL_STALE.description in part(alertmanager.message("operators"), "plain")
    alertmanager.tell(SPIKE, BURNING, HALF_USED, MODEL, full)
    text = part(alertmanager.message("spending"), "plain")
    # Live usage, and a limit in danger, are told all the same.
    assert MODEL.description in text
    assert full.description in text
    assert SPIKE.description not in text
    assert BURNING.description not in text

    alertmanager.tell(BILL_STALE, resolved=True)
    text = part(alertmanager.message("spending", 2), "plain")
    assert SPIKE.description in text
    assert BURNING.description in text
    assert HALF_USED.summary not in text


def test_a_source_that_fails_quiets_what_is_made_from_it_and_nothing_else(alertmanager: Alertmanager) -> None:
    failing = [source_failing(source) for source in ("bigquery", "cloud_monitoring", "litellm")]
    alertmanager.tell(*failing)
    told = part(alertmanager.message("operators"), "plain")
    assert [alert for alert in failing if alert.description not in told] == []

    elsewhere = {"provider": "openai", "service_name": "OpenAI API"}
    other_provider = replace(SPIKE, labels=elsewhere, description="OpenAI API (openai): +$9.00.")
    alertmanager.tell(SPIKE, BURNING, COST_PER_REQUEST, KEY, other_provider, MODEL)
    text = part(alertmanager.message("spending"), "plain")
    assert other_provider.description in text
    assert MODEL.description in text
    assert [alert for alert in (SPIKE, BURNING, COST_PER_REQUEST, KEY) if alert.description in text] == []


def test_live_usage_that_cannot_be_read_leaves_bills_and_budgets_alone(alertmanager: Alertmanager) -> None:
    alertmanager.tell(*map(source_failing, ("cloud_monitoring", "litellm", "usage_logs")))
    alertmanager.message("operators")
    alertmanager.tell(SPIKE, BURNING, COST_PER_REQUEST)
    text = part(alertmanager.message("spending"), "plain")
    assert SPIKE.description in text
    assert BURNING.description in text
    assert COST_PER_REQUEST.description not in text


def test_of_a_bill_that_cannot_be_read_the_reason_is_told(alertmanager: Alertmanager) -> None:
    failing = source_failing("bigquery")
    alertmanager.tell(failing, BILL_STALE)
    told = part(alertmanager.message("operators"), "plain")
    assert failing.description in told
    assert BILL_STALE.summary not in told


def test_without_the_exporter_nothing_else_of_it_is_told(alertmanager: Alertmanager) -> None:
    elsewhere = replace(
        MODEL, labels={**MODEL.labels, "instance": "other:9877"}, description="Another exporter."
    )
    alertmanager.tell(EXPORTER_DOWN)
    assert alertmanager.message("operators")["Subject"] == (
        "Critical: Prometheus gets no metrics from exporter:9877: nobody watches what is spent"
    )
    alertmanager.tell(*INCIDENT, COST_PER_REQUEST, elsewhere)
    text = part(alertmanager.message("spending"), "plain")
    assert elsewhere.description in text
    assert text.count("Since ") == 1


def test_no_secret_is_shown(alertmanager: Alertmanager) -> None:
    shown = alertmanager.get("/api/v2/status")
    assert "webhook_token" in shown
    assert TOKEN not in shown
    assert "/slack\n" not in shown
