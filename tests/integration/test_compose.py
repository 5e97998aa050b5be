"""docker-compose.yml, really started (Grafana left out): scraped, alerting, and without a right too many."""

import math
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.integration.compose_stack import (
    COMPOSE_FILE,
    SERVICES,
    Engine,
    Stack,
    eventually,
    find_engine,
    started,
)
from tests.support.export_rows import export_row, export_time, write_json_lines

pytestmark = pytest.mark.integration

ACCOUNT = "0A1B2C-3D4E5F-6A7B8C"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return find_engine()


@pytest.fixture(scope="module")
def stack(engine: Engine) -> Iterator[Stack]:
    yield from started(engine, f"spend-test-{os.getpid()}", SERVICES)


@pytest.fixture(scope="module")
def configured(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The exporter alone, with a configuration mounted."""
    folder = tmp_path_factory.mktemp("config")
    folder.chmod(0o755)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    row = export_row(
        billing_account_id=ACCOUNT,
        usage_start_time=export_time(hour),
        usage_end_time=export_time(hour + timedelta(hours=1)),
        export_time=export_time(hour + timedelta(hours=5)),
        cost=12.5,
    )
    write_json_lines(folder / "export.jsonl", [row])
    (folder / "config.yml").write_text(
        yaml.safe_dump(
            {"gcp": {"billing_account_id": ACCOUNT, "billing_export": {"files": ["export.jsonl"]}}}
        )
    )
    yield from started(
        engine, f"spend-test-config-{os.getpid()}", ("exporter",), SPEND_CONFIG_DIRECTORY=str(folder)
    )


def test_prometheus_scrapes_the_exporter(stack: Stack) -> None:
    def health() -> bool:
        targets = stack.prometheus("targets")["activeTargets"]
        return {target["scrapePool"]: target["health"] for target in targets}.get("spend-exporter") == "up"

    eventually("the exporter is a healthy target of Prometheus", health)


def test_prometheus_has_found_alertmanager(stack: Stack) -> None:
    def urls() -> list[str]:
        return [found["url"] for found in stack.prometheus("alertmanagers")["activeAlertmanagers"]]

    assert eventually("Prometheus knows an Alertmanager", urls) == ["http://alertmanager:9093/api/v2/alerts"]


def test_prometheus_answers_the_sum_that_the_exporter_serves(stack: Stack) -> None:
    def equal() -> bool:
        result = stack.prometheus("query?query=sum(spend_month_to_date_usd)")["result"]
        served = stack.exported_usd("spend_month_to_date_usd")
        return (
            served != 0 and bool(result) and math.isclose(float(result[0]["value"][1]), served, rel_tol=1e-9)
        )

    eventually("sum(spend_month_to_date_usd) equals the exporter's own figures", equal)


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_no_rights_and_cannot_write_its_root(stack: Stack, service: str) -> None:
    status = dict(
        re.findall(r"^(\w+):\s*(.*)$", stack.execute(service, "cat", "/proc/1/status"), flags=re.MULTILINE)
    )
    assert "0" not in status["Uid"].split()
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert re.search(
        r"^\S+ / \S+ ro[, ]", stack.execute(service, "cat", "/proc/1/mounts"), flags=re.MULTILINE
    )
    assert stack.inspect(service)["HostConfig"]["Memory"] > 0


@pytest.mark.parametrize("service", SERVICES)
def test_a_health_check_passes(stack: Stack, service: str) -> None:
    kind, *command = COMPOSE_FILE["services"][service]["healthcheck"]["test"]
    assert kind == "CMD"

    def passes() -> bool:
        return stack.engine.succeeds(stack.engine.command, "exec", stack.container(service), *command)

    eventually(f"the health check of {service} passes", passes)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_published_on_loopback_only(stack: Stack, service: str) -> None:
    bindings = stack.inspect(service)["HostConfig"]["PortBindings"].values()
    assert [(place["HostIp"], int(place["HostPort"])) for places in bindings for place in places] == [
        ("127.0.0.1", stack.ports[service])
    ]


def test_a_mounted_configuration_is_served_instead_of_the_demo(configured: Stack) -> None:
    eventually("the first figures are served", lambda: configured.get("exporter", "/readyz"))
    assert configured.exported_usd("spend_billed_usd_total") == 12.5
    assert ACCOUNT in configured.get("exporter", "/metrics")


@pytest.mark.parametrize(
    ("mode", "name", "told"),
    [
        (0o755, "config.yaml", "no config.yml in /etc/spend-exporter, which has:"),
        (0o700, "config.yml", "user 65532 cannot read the folder /etc/spend-exporter"),
        (0o755, None, "the folder mounted at /etc/spend-exporter is empty"),
    ],
)
def test_a_folder_without_a_readable_configuration_is_refused(
    configured: Stack, tmp_path: Path, mode: int, name: str | None, told: str
) -> None:
    if name:
        (tmp_path / name).touch()
    tmp_path.chmod(mode)
    image = configured.inspect("exporter")["Image"]
    engine = configured.engine
    done = engine.attempt(engine.command, "run", "--rm", f"--volume={tmp_path}:/etc/spend-exporter:ro", image)
    assert done.returncode == 2, done.stdout
    assert told in done.stdout


def test_prometheus_knows_where_grafana_is_published(stack: Stack) -> None:
    shown = yaml.safe_load(stack.prometheus("status/config")["yaml"])["global"]["external_labels"]
    assert shown == {"grafana_url": "http://localhost:3000"}


def test_the_exporter_ends_cleanly_when_its_container_is_stopped(configured: Stack) -> None:
    configured.engine.run(configured.engine.command, "stop", "--time", "20", configured.container("exporter"))
    assert configured.inspect("exporter")["State"]["ExitCode"] == 0
