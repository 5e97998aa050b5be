"""Which of the product's own alerts a scrape would fire: its rules, in promtool, over what was scraped."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support import places
from tests.support.exposed import Labels, Samples

RULES = places.REPOSITORY / "prometheus" / "rules"
BEGINS_HOURS = 24
"""When the scrape is in the simulation, whose time begins at 0: what came shortly before is after that."""
LASTS_HOURS = 3
"""How long the state of the scrape goes on: longer than any alert on trust waits."""


def fires(alert: str, scraped: Samples, folder: Path) -> bool:
    """Return whether the alert fires if what was scraped stays as it is for some hours."""
    names = set(re.findall(r"\bspend_\w+", (RULES / "trust.yml").read_text()))
    now = time.time()
    series = [
        {"series": _selector(name, labels), "values": _values(_value(name, value, now))}
        for name, values in scraped.items()
        if name in names
        for labels, value in values.items()
    ]
    series.append({"series": 'up{job="spend-exporter",instance="e:1"}', "values": _values(1.0)})
    asked = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0'
    test = {
        "rule_files": [str(RULES / "recording.yml"), str(RULES / "trust.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
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
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert "SUCCESS" in done.stdout or "got:" in done.stdout + done.stderr, done.stdout + done.stderr
    return done.returncode == 0


def _values(value: float) -> str:
    return f"_x{BEGINS_HOURS * 60} {value!r}x{LASTS_HOURS * 60}"


def _selector(name: str, labels: Labels) -> str:
    return f"{name}{{{','.join(_labels(labels))}}}"


def _labels(labels: Labels) -> Iterator[str]:
    for key, value in (("job", "spend-exporter"), ("instance", "e:1"), *labels):
        yield f"{key}={json.dumps(value)}"


def _value(name: str, value: float, now: float) -> float:
    """Times are moved to the simulation's."""
    return value - now + BEGINS_HOURS * 3600 if name.endswith("_timestamp_seconds") else value
