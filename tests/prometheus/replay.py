"""Which of the product's alerts would have fired over some days of scrapes: all its rules, in promtool."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from tests.prometheus.rule_files import RULE_FILES, rule_groups
from tests.support.exposed import Labels, Samples

STEP = timedelta(minutes=5)
Scrapes = Sequence[tuple[datetime, Samples]]

_LIVE = frozenset(
    {
        "spend_source_last_success_timestamp_seconds",
        "spend_remote_write_sent_through_timestamp_seconds",
    }
)
"""Between two of the scrapes the program would have refreshed: these grow as time does, all else stays."""


def alerts_over(scrapes: Scrapes, folder: Path) -> set[str]:
    """Names of the alerts that fired at any time between the first scrape and the last."""
    begin, end = scrapes[0][0], scrapes[-1][0]
    steps = (end - begin) // STEP + 1
    used = set(re.findall(r"\bspend_\w+", " ".join(path.read_text("utf-8") for path in RULE_FILES)))
    written: dict[str, list[str]] = {}
    seen = iter([*scrapes, (end + STEP, {})])
    (moment, shown), following = next(seen), next(seen)
    for step in range(steps):
        now = begin + step * STEP
        while following[0] <= now:
            (moment, shown), following = following, next(seen)
        for name in used & shown.keys():
            for labels, value in shown[name].items():
                values = written.setdefault(_selector(name, labels), ["_"] * steps)
                values[step] = repr(_moved(name, value, begin, now - moment))
    written[_selector("up", ())] = ["1"] * steps
    return _fired(written, steps, folder)


def _moved(name: str, value: float, begin: datetime, since: timedelta) -> float:
    """In a simulation time begins at 0."""
    if not name.endswith("_timestamp_seconds"):
        return value
    return value - begin.timestamp() + (since.total_seconds() if name in _LIVE else 0.0)


def _selector(name: str, labels: Labels) -> str:
    pairs = [("job", "spend-exporter"), ("instance", "exporter:9877"), *labels]
    return f"{name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in pairs)}}}"


def _fired(written: dict[str, list[str]], steps: int, folder: Path) -> set[str]:
    minutes = int(STEP.total_seconds()) // 60
    groups = rule_groups()
    asked = {
        "expr": f'last_over_time(ALERTS{{alertstate="firing"}}[{steps * minutes}m])',
        "eval_time": f"{(steps - 1) * minutes}m",
        "exp_samples": [],
    }
    document = {
        "rule_files": [str(path) for path in RULE_FILES],
        "group_eval_order": [
            group["name"] for group in sorted(groups, key=lambda group: "alert" in group["rules"][0])
        ],
        "evaluation_interval": f"{minutes}m",
        "tests": [
            {
                "interval": f"{minutes}m",
                "input_series": [
                    {"series": name, "values": " ".join(values)} for name, values in written.items()
                ],
                "promql_expr_test": [asked],
            }
        ],
    }
    path = folder / "replay.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    tested = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
    found = set(re.findall(r'alertname="(\w+)"', tested.stdout + tested.stderr))
    assert bool(found) == (tested.returncode != 0), tested.stdout + tested.stderr
    return found
