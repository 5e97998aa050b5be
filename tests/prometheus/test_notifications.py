"""A real Alertmanager with the shipped configuration: what it sends, and what it mutes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

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
    figure_failed,
    source_failing,
)
from tests.prometheus.receivers import part
from tests.prometheus.running_alertmanager import PROGRAM, TOKEN, Alertmanager, running_alertmanager
from tests.support.exposed import until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(PROGRAM is None, reason="alertmanager is not installed"),
]


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    with running_alertmanager(tmp_path) as started:
        yield started


def test_an_incident_is_one_message_with_its_figures_and_later_one_that_it_is_resolved(
    alertmanager: Alertmanager,
) -> None:
    alertmanager.tell(*INCIDENT)
    message = alertmanager.message("spending")
    assert message["Subject"].startswith("Critical: Budget shop is being spent at 7.2 times")
    for alert in INCIDENT:
        assert alert.description in part(message, "plain")
        assert alert.annotations()["runbook_url"] in part(message, "html")
    assert "<b>+$18.42</b>" in part(message, "html")

    alertmanager.tell(*INCIDENT, resolved=True)
    over = alertmanager.message("spending", 2)
    assert over["Subject"] == f"Resolved: {BURNING_FAST.summary} (shop, month) (3 alerts)"
    assert part(over, "plain").count("RESOLVED: ") == 3
    assert [address for address, _ in alertmanager.inbox.received] == ["spending@localhost"] * 2

    until(lambda: len(alertmanager.hooks.received) == 4, "two messages in Slack and two at the webhook")
    fired, ended = alertmanager.hooks.of("/webhook")
    assert (fired.body["status"], ended.body["status"]) == ("firing", "resolved")
    assert fired.authorization == f"Bearer {TOKEN}"
    assert {alert["annotations"]["description"] for alert in fired.body["alerts"]} == {
        alert.description for alert in INCIDENT
    }
    firing, resolved = (posted.body["attachments"][0] for posted in alertmanager.hooks.of("/slack"))
    assert (firing["color"], resolved["color"]) == ("#b3261e", "#2e7d32")
    assert "*+$18.42* above normal in one hour" in firing["text"]
    assert resolved["title"] == f"Resolved: {BURNING_FAST.summary} (shop, month) (3 alerts)"


def test_a_new_alert_of_an_incident_is_sent_with_the_earlier_ones(
    alertmanager: Alertmanager,
) -> None:
    alertmanager.tell(SPIKE)
    assert MODEL.summary not in part(alertmanager.message("spending"), "plain")
    alertmanager.tell(MODEL)
    both = part(alertmanager.message("spending", 2), "plain")
    assert SPIKE.description in both
    assert MODEL.description in both


def test_only_the_most_severe_alert_of_a_budget_is_sent(alertmanager: Alertmanager) -> None:
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


def test_alerts_that_need_the_bill_are_muted_while_it_is_stale(alertmanager: Alertmanager) -> None:
    full = replace(
        BURNING_FAST, labels={"budget": "ads", "period": "month"}, description="Budget ads is burning."
    )
    alertmanager.tell(BILL_STALE)
    assert BILL_STALE.description in part(alertmanager.message("operators"), "plain")
    alertmanager.tell(SPIKE, BURNING, HALF_USED, MODEL, full)
    text = part(alertmanager.message("spending"), "plain")
    # Alerts on live usage and critical budgets are still sent.
    assert MODEL.description in text
    assert full.description in text
    assert SPIKE.description not in text
    assert BURNING.description not in text

    alertmanager.tell(BILL_STALE, resolved=True)
    text = part(alertmanager.message("spending", 2), "plain")
    assert SPIKE.description in text
    assert BURNING.description in text
    assert HALF_USED.summary not in text


def test_a_failing_source_mutes_the_alerts_that_need_it_and_no_others(alertmanager: Alertmanager) -> None:
    failing = [source_failing(source) for source in ("bigquery", "cloud_monitoring", "litellm")]
    alertmanager.tell(*failing)
    sent = part(alertmanager.message("operators"), "plain")
    assert [alert for alert in failing if alert.description not in sent] == []

    elsewhere = {"provider": "openai", "service_name": "OpenAI API"}
    other_provider = replace(SPIKE, labels=elsewhere, description="OpenAI API (openai): +$9.00.")
    alertmanager.tell(SPIKE, BURNING, COST_PER_REQUEST, KEY, other_provider, MODEL)
    text = part(alertmanager.message("spending"), "plain")
    assert other_provider.description in text
    assert MODEL.description in text
    assert [alert for alert in (SPIKE, BURNING, COST_PER_REQUEST, KEY) if alert.description in text] == []


def test_failing_live_usage_does_not_mute_alerts_on_bills_and_budgets(alertmanager: Alertmanager) -> None:
    alertmanager.tell(*map(source_failing, ("cloud_monitoring", "litellm", "usage_logs")))
    alertmanager.message("operators")
    alertmanager.tell(SPIKE, BURNING, COST_PER_REQUEST)
    text = part(alertmanager.message("spending"), "plain")
    assert SPIKE.description in text
    assert BURNING.description in text
    assert COST_PER_REQUEST.description not in text


def test_a_figure_that_cannot_be_computed_mutes_the_alerts_that_need_it(alertmanager: Alertmanager) -> None:
    failed = [figure_failed("budget_series", "critical"), figure_failed("spikes", "critical")]
    alertmanager.tell(*failed)
    sent = part(alertmanager.message("operators"), "plain")
    assert [alert for alert in failed if alert.description not in sent] == []
    alertmanager.tell(SPIKE, BURNING_FAST, BURNING, MODEL)
    text = part(alertmanager.message("spending"), "plain")
    assert MODEL.description in text
    assert [alert for alert in (SPIKE, BURNING_FAST, BURNING) if alert.description in text] == []


def test_a_bill_that_cannot_be_computed_mutes_its_consequences_but_no_critical_budget(
    alertmanager: Alertmanager,
) -> None:
    failed = figure_failed("bill", "critical")
    other = {"budget": "ads", "period": "month"}
    warning = replace(BURNING, labels=other, description="Budget ads is being spent too fast.")
    alertmanager.tell(failed, BILL_STALE, source_failing("bigquery"), SPIKE, BURNING_FAST, warning)
    sent = part(alertmanager.message("operators"), "plain")
    assert failed.description in sent
    assert sent.count("Since ") == 1
    text = part(alertmanager.message("spending"), "plain")
    assert BURNING_FAST.description in text
    assert text.count("Since ") == 1


def test_only_the_cause_is_sent_when_a_bill_cannot_be_read(alertmanager: Alertmanager) -> None:
    failing = source_failing("bigquery")
    alertmanager.tell(failing, BILL_STALE)
    sent = part(alertmanager.message("operators"), "plain")
    assert failing.description in sent
    assert BILL_STALE.summary not in sent


def test_nothing_else_is_sent_about_an_exporter_that_is_down(alertmanager: Alertmanager) -> None:
    elsewhere = replace(
        MODEL, labels={**MODEL.labels, "job": "spend-exporter-staging"}, description="Another exporter."
    )
    alertmanager.tell(EXPORTER_DOWN)
    assert alertmanager.message("operators")["Subject"] == (
        "Critical: Prometheus gets no metrics from the Spend Exporter at exporter:9877"
    )
    alertmanager.tell(*INCIDENT, COST_PER_REQUEST, elsewhere)
    text = part(alertmanager.message("spending"), "plain")
    assert elsewhere.description in text
    assert text.count("Since ") == 1


def test_alertmanager_shows_no_secret(alertmanager: Alertmanager) -> None:
    shown = alertmanager.get("/api/v2/status")
    assert "webhook_token" in shown
    assert TOKEN not in shown
    assert "/slack\n" not in shown
