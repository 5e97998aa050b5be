"""A real Prometheus with rules, which scrapes one exporter and sends alerts to an Alertmanager."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml


@contextlib.contextmanager
def running_prometheus(
    folder: Path, port: int, exporter: str, rules: str, alertmanager: str
) -> Iterator[str]:
    """Run a Prometheus that scrapes every 2 s; yields its address."""
    document = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"},
        "rule_files": [rules],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [alertmanager.removeprefix("http://")]}]}]
        },
        "scrape_configs": [
            {
                "job_name": "spend-exporter",
                "static_configs": [{"targets": [exporter.removeprefix("http://")]}],
            },
            {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]},
        ],
    }
    with prometheus_process(folder, document, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def prometheus_process(
    folder: Path, document: Mapping[str, object], port: int, *flags: str, program: str = "prometheus"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Prometheus with this configuration; its log is in `prometheus.log` of the folder."""
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    command = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
        *flags,
    ]
    with (
        (folder / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
