"""Which of the product's own alerts a scrape would fire: its rules, in promtool, over what was scraped."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.prometheus.rule_files import rule_groups
from tests.support.exposed import DEADLINE_SECONDS, Labels, Samples

BEGINS_HOURS = 24
"""When the scrape is in the simulation, whose time begins at 0: what came shortly before is after that."""
LASTS_HOURS = 3
"""How long the state of the scrape goes on: longer than any alert of the matrix waits."""
STEP_MINUTES = 5
"""Between two scrapes and two evaluations; with one minute, as in the rules, each row takes 6 s of CPU."""


def fires(alert: str, scraped: Samples, folder: Path) -> bool:
    """Return whether the alert fires if what was scraped stays as it is for some hours."""
    of_alert = _rules(alert)
    names = set(re.findall(r"\bspend_\w+", json.dumps(of_alert)))
    now = time.time()
    series = [
        {"series": _selector(name, labels), "values": _values(_value(name, value, now))}
        for name, values in scraped.items()
        if name in names
        for labels, value in values.items()
    ]
    series.append({"series": 'up{job="spend-exporter",instance="e:1"}', "values": _values(1.0)})
    asked = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0'
    rules = folder / "rules.json"
    rules.write_text(json.dumps({"groups": [{"name": "trust", "rules": of_alert}]}))
    test = {
        "rule_files": [str(rules)],
        "evaluation_interval": f"{STEP_MINUTES}m",
        "tests": [
            {
                "interval": f"{STEP_MINUTES}m",
                "input_series": series,
                "promql_expr_test": [
                    {
                        "expr": asked,
                        "eval_time": f"{BEGINS_HOURS + LASTS_HOURS}h",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    }
                ],
            }
        ],
    }
    path = folder / "alerts.json"
    path.write_text(json.dumps(test))
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert "SUCCESS" in done.stdout or "got:" in done.stdout + done.stderr, done.stdout + done.stderr
    return done.returncode == 0


def _rules(alert: str) -> list[dict[str, str]]:
    """The product's rules of this alert; some have one for each severity."""
    found = [rule for group in rule_groups() for rule in group["rules"] if rule.get("alert") == alert]
    assert found, f"no rule of {alert}"
    return found


def _values(value: float) -> str:
    steps = 60 // STEP_MINUTES
    return f"_x{BEGINS_HOURS * steps} {value!r}x{LASTS_HOURS * steps}"


def _selector(name: str, labels: Labels) -> str:
    return f"{name}{{{','.join(_labels(labels))}}}"


def _labels(labels: Labels) -> Iterator[str]:
    for key, value in (("job", "spend-exporter"), ("instance", "e:1"), *labels):
        yield f"{key}={json.dumps(value)}"


def _value(name: str, value: float, now: float) -> float:
    """Times are moved to the simulation's."""
    return value - now + BEGINS_HOURS * 3600 if name.endswith("_timestamp_seconds") else value
