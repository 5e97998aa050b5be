import contextlib
import json
import shutil
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import bcrypt
import pytest

from exporter.metrics.exposition.exposition import render
from exporter.metrics.families import SPEND_BILLED_USD_TOTAL, SPEND_TODAY_USD, FamilySamples
from exporter.metrics.snapshot import Snapshot
from exporter.web.server import Server
from exporter.web.web_config import load_web_config
from tests.support.certificates import Authority
from tests.support.exposed import until
from tests.support.ports import free_port
from tests.support.served import BUILT_AT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
]

AWKWARD = 'Compute "Engine"\\\n🤑'
AMOUNTS = {AWKWARD: 12434.56, "Cloud Run": 0.1, "BigQuery": 1e-7, "Cloud Storage": -3.25}


def snapshot() -> Snapshot:
    def labels(service: str, category: str) -> tuple[str, ...]:
        return ("gcp", "01AB23-4C5D67-89EF01", "project-1", service, "1-2-3", "Core", "us-central1", category)

    today = [(labels(service, "usage"), amount) for service, amount in AMOUNTS.items()]
    billed = [(labels("Cloud Run", "usage"), 99.5), (labels("BigQuery", "tax"), 0.25)]
    exposition = render(
        [FamilySamples(SPEND_TODAY_USD, today), FamilySamples(SPEND_BILLED_USD_TOTAL, billed)]
    )
    return Snapshot(exposition, BUILT_AT, True, (), ())


@contextmanager
def prometheus(folder: Path, scrape_config: str) -> Iterator[str]:
    """Run a Prometheus that scrapes as configured; yields its address."""
    config = folder / "prometheus.yml"
    config.write_text(f"scrape_configs:\n{scrape_config}", encoding="utf-8")
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield url
        finally:
            process.terminate()


def job(target: str, more: str = "") -> str:
    return (
        "  - job_name: spend\n    scrape_interval: 1s\n    scrape_timeout: 1s\n"
        f"    static_configs: [{{targets: ['{target}']}}]\n{more}"
    )


def target(server: Server) -> str:
    host, port = server.address
    return f"{host}:{port}"


def metadata(url: str, metric: str) -> tuple[str, str]:
    """Type and unit that Prometheus has read for a family."""
    with urllib.request.urlopen(f"{url}/api/v1/metadata?metric={metric}", timeout=60) as response:
        [found] = json.load(response)["data"][metric]
    return found["type"], found["unit"]


def answers(url: str, query: str) -> dict[str, float]:
    """Ask a PromQL query until it has an answer; values by service name."""
    address = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    found: dict[str, float] = {}

    def answered() -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=60) as response:
            result = json.load(response)["data"]["result"]
            found.update(
                {series["metric"].get("service_name", ""): float(series["value"][1]) for series in result}
            )
        return bool(found)

    until(answered, f"an answer to {query}", pause_seconds=0.1)
    return found


def test_prometheus_reads_openmetrics_in_gzip_exactly(tmp_path: Path) -> None:
    current = snapshot()
    with (
        Server(("127.0.0.1", 0), lambda: current) as server,
        prometheus(tmp_path, job(target(server))) as url,
    ):
        assert answers(url, 'spend_today_usd{provider="gcp"}') == AMOUNTS
        assert answers(url, "sum(spend_today_usd)") == {"": pytest.approx(sum(AMOUNTS.values()), rel=1e-15)}
        assert answers(url, "sum(spend_billed_usd_total)") == {"": 99.75}
        assert answers(url, "up == 1") == {"": 1.0}
        assert answers(url, "scrape_samples_scraped > 10") != {}
        assert answers(url, 'spend_exporter_scrapes_total{code="200"} > 3') != {}
        # Only OpenMetrics has units and names a counter without _total, so this is what was negotiated.
        assert metadata(url, "spend_billed_usd") == ("counter", "usd")


@contextmanager
def as_an_old_scraper(server: Server) -> Iterator[str]:
    """Pass scrapes on as a scraper sends them that knows no OpenMetrics; yields the address to scrape."""

    class PassOn(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {"Accept": "text/plain;version=0.0.4;q=1,*/*;q=0.1", "Accept-Encoding": "gzip"}
            asked = urllib.request.Request(f"{server.url.rstrip('/')}{self.path}", headers=headers)
            with urllib.request.urlopen(asked, timeout=60) as response:
                self.send_response(response.status)
                for name in ("Content-Type", "Content-Encoding", "Content-Length"):
                    self.send_header(name, response.headers[name])
                self.end_headers()
                self.wfile.write(response.read())

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), PassOn) as passing_on:
        thread = threading.Thread(target=passing_on.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"127.0.0.1:{passing_on.server_port}"
        finally:
            passing_on.shutdown()
            thread.join()


def test_prometheus_reads_text_in_gzip_exactly(tmp_path: Path) -> None:
    current = snapshot()
    with (
        Server(("127.0.0.1", 0), lambda: current) as server,
        as_an_old_scraper(server) as address,
        prometheus(tmp_path, job(address)) as url,
    ):
        assert answers(url, 'spend_today_usd{provider="gcp"}') == AMOUNTS
        assert answers(url, "sum(spend_billed_usd_total)") == {"": 99.75}
        assert answers(url, 'spend_exporter_scrapes_total{code="200"} > 3') != {}
        assert metadata(url, "spend_billed_usd_total") == ("counter", "")


def test_prometheus_scrapes_over_tls_with_its_certificate_and_password(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.sign("server", ["127.0.0.1"])
    authority.sign("prometheus", ["prometheus.example.com"])
    password_hash = bcrypt.hashpw(b"secret", bcrypt.gensalt(5)).decode()
    web = tmp_path / "web.yml"
    web.write_text(
        "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_ca_file: ca.crt\n"
        "  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus.example.com]\n"
        f"basic_auth_users:\n  prometheus: {password_hash}\n",
        encoding="utf-8",
    )
    access = (
        "    basic_auth: {username: prometheus, password: secret}\n"
        "    tls_config: {ca_file: ca.crt, cert_file: prometheus.crt, key_file: prometheus.key}\n"
    )
    current = snapshot()
    with (
        Server(("127.0.0.1", 0), lambda: current, load_web_config(web)) as server,
        prometheus(tmp_path, job(target(server), f"    scheme: https\n{access}")) as url,
    ):
        assert answers(url, 'spend_today_usd{provider="gcp"}') == AMOUNTS
