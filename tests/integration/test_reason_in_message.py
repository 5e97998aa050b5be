"""The reason of a jump, from the exposition to the inbox by a real Prometheus and Alertmanager.

Another text beside the same figures changes the message, and is no new alert.
"""

from __future__ import annotations

import json
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.metrics import families as metrics
from exporter.metrics.exposition.exposition import render
from exporter.metrics.families import FamilySamples
from tests.prometheus.receivers import part
from tests.prometheus.rule_files import RULE_FILES
from tests.prometheus.running_alertmanager import PROGRAM, running_alertmanager
from tests.prometheus.running_prometheus import running_prometheus
from tests.support.exposed import until
from tests.support.ports import free_port

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(PROGRAM is None, reason="alertmanager is not installed"),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
]

FIRST = 'Vertex AI +$92: 4.1 times the output tokens of "gemini-2.5-pro" in a\\b, price unchanged'
LATER = "Vertex AI +$95: 4.3 times the output tokens of <gemini> & {{ $value }}, price unchanged"
FIGURES = "Vertex AI (gcp): +$100.00 on its last settled day: $150.00 after $50.00 the day before."


@dataclass
class Exposed:
    explanation: str
    url: str = ""

    def body(self) -> bytes:
        day = {"0": 150.0, "1": 50.0, "7": 48.0}
        thresholds = {"day_jump_usd": 20.0, "day_jump_ratio": 0.5, "bill_stale_seconds": 129600.0}
        return render(
            [
                FamilySamples(
                    metrics.SPEND_SETTLED_DAY_USD,
                    [(("gcp", "Vertex AI", before), usd) for before, usd in day.items()],
                ),
                FamilySamples(
                    metrics.SPEND_ALERT_THRESHOLD, [((name,), usd) for name, usd in thresholds.items()]
                ),
                FamilySamples(
                    metrics.SPEND_UNUSUAL_COST_INFO,
                    [(("gcp", "Vertex AI", "settled_day", self.explanation), 1.0)],
                ),
                FamilySamples(metrics.SPEND_EXPORTER_BUILD_INFO, [(("1", "3"), 1.0)]),
            ]
        ).text


@contextmanager
def exposing(explanation: str) -> Iterator[Exposed]:
    found = Exposed(explanation)

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = found.body()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def hurried(folder: Path) -> str:
    """The shipped rules of spikes, evaluated each second."""
    [path] = [each for each in RULE_FILES if each.name == "spikes.yml"]
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for group in document["groups"]:
        group["interval"] = "1s"
    copy = folder / "spikes.yml"
    copy.write_text(yaml.safe_dump(document), encoding="utf-8")
    return str(copy)


def firing(prometheus: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{prometheus}/api/v1/alerts", timeout=10) as response:
        found: list[dict[str, Any]] = json.load(response)["data"]["alerts"]
        return found


def test_a_message_says_why_and_another_reason_is_the_same_alert(tmp_path: Path) -> None:
    with (
        exposing(FIRST) as exposed,
        running_alertmanager(tmp_path) as alertmanager,
        running_prometheus(
            tmp_path, free_port(), exposed.url, hurried(tmp_path), alertmanager.url
        ) as prometheus,
    ):
        message = alertmanager.message("spending")
        assert message["Subject"].startswith("Warning: Vertex AI (gcp): +$100.00 on its last settled day")
        told = " ".join(part(message, "plain").split())
        assert FIGURES in told
        assert f"{FIRST}." in told
        [before] = firing(prometheus)
        exposed.explanation = LATER
        until(lambda: LATER in str(firing(prometheus)[0]["annotations"]["description"]), "the later reason")
        [after] = firing(prometheus)
        assert FIRST not in after["annotations"]["description"]
        assert (after["labels"], after["activeAt"]) == (before["labels"], before["activeAt"])
        assert "explanation" not in after["labels"]
