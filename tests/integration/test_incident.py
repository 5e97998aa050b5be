"""The demo's runaway, from the company's bill to the inbox: every program in between is the real one.

Only waits are shortened: rules are evaluated every 2 s instead of each minute, `keep_firing_for` is 5 s
instead of 15 min, and Alertmanager waits 6 s for a group (1 min) and 15 s for its changes (5 min).
"""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
import yaml

from exporter.cli.commands.demo import demo
from tests.integration.test_prometheus_truth import ask
from tests.prometheus.receivers import part
from tests.prometheus.rule_files import RULE_FILES
from tests.prometheus.running_alertmanager import PROGRAM, Alertmanager, running_alertmanager
from tests.prometheus.running_prometheus import running_prometheus
from tests.support.exposed import ESTIMATION_SECONDS, POLL_SECONDS, Samples, samples, until
from tests.support.ports import free_port

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(PROGRAM is None, reason="alertmanager is not installed"),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
]

EVENING: Final = datetime(2034, 5, 18, 4, 0, tzinfo=UTC)
"""A Wednesday's 21:00 at the company, so that its figures are the same each time.

Prometheus has the clock of the machine; what comes from after it is never stale.
"""

OVER: Final = timedelta(days=15, hours=8)
"""Until then the runaway has ended, and a new day, week and month have begun: budgets start anew."""

SOURCES: Final = 6
STEADY_SECONDS: Final = 20.0
HURRY: Final = {"interval": "2s", "keep_firing_for": "5s"}
SEVERITIES: Final = ("info", "warning", "critical")


@dataclass
class Clock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


@contextlib.contextmanager
def demo_running(folder: Path, clock: Clock) -> Iterator[str]:
    """Run `demo` in this process, for the sake of its clock; yields its address once every source is read."""
    stopping = threading.Event()
    found: list[str] = []
    thread = threading.Thread(
        target=lambda: demo(
            ("127.0.0.1", 0),
            stopping,
            directory=folder,
            seed=1,
            announce=found.append,
            clock=clock,
            export_every_seconds=3,
        )
    )
    thread.start()
    try:
        until(lambda: found or not thread.is_alive(), "an address", seconds=900)
        assert found, "the demo has ended"
        up, forecast = "spend_source_up", "spend_forecast_month_end_usd"
        until(lambda: len(exposed(found[0], up)[up]) == SOURCES, "every source", 900, POLL_SECONDS)
        until(lambda: exposed(found[0], forecast)[forecast], "estimates", ESTIMATION_SECONDS, POLL_SECONDS)
        until_steady(found[0])
        yield found[0]
    finally:
        stopping.set()
        thread.join()


def exposition(url: str) -> str:
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as response:
        return str(response.read().decode())


def exposed(url: str, *names: str) -> Samples:
    return samples(exposition(url), *names)


def until_steady(url: str) -> None:
    """Wait until the estimates are made of all that was read: while the clock stands, they then stay."""
    seen: list[str] = []
    since = 0.0

    def steady() -> bool:
        nonlocal seen, since
        figures = [line for line in exposition(url).split("\n") if line.startswith("spend_budget_")]
        if figures != seen:
            seen, since = figures, time.monotonic()
        return time.monotonic() - since > STEADY_SECONDS

    until(steady, "figures that stay", ESTIMATION_SECONDS, pause_seconds=0.5)


def hurried_rules(folder: Path) -> str:
    """Copies of the shipped rules that wait less; yields the pattern of their names."""
    folder.mkdir()
    for path in RULE_FILES:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in document["groups"]:
            group["interval"] = HURRY["interval"]
            for rule in group["rules"]:
                if "keep_firing_for" in rule:
                    rule["keep_firing_for"] = HURRY["keep_firing_for"]
        (folder / path.name).write_text(yaml.safe_dump(document), encoding="utf-8")
    return f"{folder}/*.yml"


def of(figures: Samples, metric: str, **labels: str) -> float:
    [value] = [value for each, value in figures[metric].items() if labels.items() <= dict(each).items()]
    return value


def reached(figures: Samples) -> dict[str, str]:
    """By budget the worst threshold that it has reached."""
    found: dict[str, str] = {}
    for severity in SEVERITIES:
        for labels, ratio in figures["spend_budget_threshold_ratio"].items():
            told = dict(labels)
            if (told["basis"], told["severity"]) == ("actual", severity) and of(
                figures, "spend_budget_used_ratio", budget=told["budget"]
            ) >= ratio:
                found[told["budget"]] = severity
    return found


def spikes(figures: Samples) -> list[tuple[str, str]]:
    """Provider and service of each spike over its floors."""
    floor = {
        name: of(figures, "spend_alert_threshold", name=name) for name in ("hourly_spike_usd", "spike_score")
    }
    return [
        (dict(labels)["provider"], dict(labels)["service_name"])
        for labels, usd in figures["spend_spike_usd"].items()
        if dict(labels)["sku"] == ""
        and usd > floor["hourly_spike_usd"]
        and figures["spend_spike_score"][labels] > floor["spike_score"]
    ]


def dearest(figures: Samples, metric: str, name: str, **labels: str) -> tuple[str, float]:
    parts = {
        dict(each)[name]: value
        for each, value in figures[metric].items()
        if labels.items() <= dict(each).items() and dict(each)[name]
    }
    return max(parts.items(), key=lambda each: each[1])


def budget_text(figures: Samples, budget: str) -> str:
    """What a person should read about a budget, in the exporter's own figures."""
    [labels] = [dict(each) for each in figures["spend_budget_used_usd"] if dict(each)["budget"] == budget]
    used, limit, billed, estimated = (
        of(figures, f"spend_budget_{each}_usd", budget=budget)
        for each in ("used", "limit", "billed", "estimated")
    )
    service, most = dearest(figures, "spend_budget_service_used_usd", "service_name", budget=budget)
    return (
        f"Budget {budget} has used SHARE of its limit for the {labels['period']}: ${used:,.2f} of "
        f"${limit:,.2f}, of which ${billed:,.2f} is billed and ${estimated:,.2f} is estimated. "
        f"Largest service: {service}, ${most:,.2f}."
    )


def spike_text(figures: Samples, provider: str, service: str) -> str:
    """What a person should read about a spike, in the exporter's own figures."""
    of_service = {"provider": provider, "service_name": service}
    above, cost, normal = (
        of(figures, f"spend_spike_{each}usd", **of_service, sku="") for each in ("", "hour_", "normal_")
    )
    sku, most = dearest(figures, "spend_spike_usd", "sku", **of_service)
    reasons = [
        labels["explanation"]
        for labels in map(dict, figures["spend_unusual_cost_info"])
        if {**of_service, "about": "spike_hour"}.items() <= labels.items()
    ]
    return (
        f"{service} ({provider}): +${above:,.2f} above normal in one hour. The hour from HOUR cost "
        f"${cost:,.2f}; ${normal:,.2f} is normal. Largest part: {sku}, +${most:,.2f}."
        + "".join(f" Against the same hour a week before: {reason}." for reason in reasons)
    )


def without_share_and_hour(description: str) -> str:
    return re.sub(
        r"The hour from \w{3} \d\d? \w{3} \d\d:\d\d UTC",
        "The hour from HOUR",
        re.sub(r"[\d.]+%", "SHARE", description),
    )


def evaluations(prometheus: str) -> float:
    """How often the group of budgets has been evaluated."""
    query = 'prometheus_rule_group_iterations_total{rule_group=~".*spend-budgets"}'
    return sum(ask(prometheus, query).values())


def expected_texts(figures: Samples) -> set[str]:
    """The texts that are sent at once; a budget's info goes to the digest."""
    urgent = {name for name, worst in reached(figures).items() if worst != "info"}
    assert {"gcp daily limit", "support assistant"} <= urgent
    assert {("gcp", "Vertex AI"), ("openai", "OpenAI API")} <= set(spikes(figures))
    return {
        *(budget_text(figures, name) for name in urgent),
        *(spike_text(figures, *each) for each in spikes(figures)),
    }


def is_one_message_with(told: set[str], alertmanager: Alertmanager, prometheus: str) -> None:
    """Check the e-mail and the post, and that no second one follows."""
    message = part(alertmanager.message("spending"), "plain")
    until(lambda: alertmanager.hooks.of("/webhook"), "the webhook")
    described = [
        alert["annotations"]["description"] for alert in alertmanager.hooks.of("/webhook")[0].body["alerts"]
    ]
    assert sorted(map(without_share_and_hour, described)) == sorted(told)
    assert [each for each in described if each not in message] == []
    seen = evaluations(prometheus)
    until(lambda: evaluations(prometheus) > seen + 15, "more evaluations of the same")
    assert len(alertmanager.inbox.of("spending")) == len(alertmanager.hooks.of("/webhook")) == 1
    print(message)  # noqa: T201


def is_over(alertmanager: Alertmanager) -> None:
    """Wait for the last message, and check that all that was told is told to have ended.

    After a leap over days more budgets may be told for a moment: until usage is read, days are estimated from
    the pace of the incident.
    """
    until(
        lambda: alertmanager.hooks.of("/webhook")[-1].body["status"] == "resolved",
        "that it is over",
        seconds=900,
    )
    began, *later = ([*posted.body["alerts"]] for posted in alertmanager.hooks.of("/webhook"))
    ended = {alert["fingerprint"] for alerts in later for alert in alerts if alert["status"] == "resolved"}
    assert ended >= {alert["fingerprint"] for alert in began}
    assert {alert["fingerprint"] for alerts in later for alert in alerts} == ended
    until(
        lambda: alertmanager.inbox.of("spending")[-1]["Subject"].startswith("Resolved: "), "the last e-mail"
    )
    print(part(alertmanager.inbox.of("spending")[-1], "plain"))  # noqa: T201


def test_the_demos_incident_is_one_message_with_the_exporters_figures_and_then_is_over(
    tmp_path: Path,
) -> None:
    clock = Clock(EVENING)
    rules = hurried_rules(tmp_path / "rules")
    with (
        running_alertmanager(tmp_path, group_wait="6s", group_interval="15s") as alertmanager,
        demo_running(tmp_path / "company", clock) as exporter,
        running_prometheus(tmp_path, free_port(), exporter, rules, alertmanager.url) as prometheus,
    ):
        began = time.monotonic()
        alertmanager.message("spending")
        print(f"it came {time.monotonic() - began:.0f} s after Prometheus was started")  # noqa: T201
        is_one_message_with(expected_texts(exposed(exporter)), alertmanager, prometheus)
        clock.now += OVER
        began = time.monotonic()
        is_over(alertmanager)
        print(f"the end came {time.monotonic() - began:.0f} s after that of the incident")  # noqa: T201
