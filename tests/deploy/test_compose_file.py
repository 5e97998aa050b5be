"""docker-compose.yml and the files it mounts agree, and no service has more rights than it needs."""

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from exporter.cli.commands.demo import PAST_DAYS
from tests.support import places
from tests.support.programs import needs

ROOT = places.REPOSITORY


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


COMPOSE_FILE = read("docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE_FILE["services"]
ADDRESSES = {
    f"{name}:{ports.rsplit(':', 1)[1]}" for name, service in SERVICES.items() for ports in service["ports"]
}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_is_confined(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "restart", "healthcheck"} <= service.keys()
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & service.keys()


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_is_published_on_loopback_by_a_port_that_can_be_moved(service: dict[str, Any]) -> None:
    assert service["ports"], "nobody could reach it"
    for published in service["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:\$\{SPEND_\w+_PORT:-(\d+)\}:\1", published)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_writes_to_named_volumes_only(service: dict[str, Any]) -> None:
    named = {volume.split(":")[0] for volume in service.get("volumes", []) if isinstance(volume, str)}
    assert named <= COMPOSE_FILE["volumes"].keys()
    for mounted in (volume for volume in service.get("volumes", []) if not isinstance(volume, str)):
        assert mounted["type"] == "bind"
        assert mounted["read_only"] is True
        # A mistyped folder is an error, not a new empty folder.
        assert mounted["bind"] == {"create_host_path": False}


def test_every_image_has_a_pinned_version() -> None:
    images = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    images += [service["image"] for service in SERVICES.values() if "image" in service]
    assert len(images) >= 5
    assert [image for image in images if not re.search(r":v?\d+\.\d+", image)] == []


def least(image: str, *version: int) -> bool:
    """Whether the pinned version of an image is this one or later."""
    (pinned,) = [
        each["image"] for each in SERVICES.values() if each.get("image", "").startswith(f"{image}:v")
    ]
    return tuple(map(int, pinned.rpartition(":v")[2].split("."))) >= version


def test_pinned_versions_are_without_known_holes() -> None:
    # CVE-2026-40179, and out-of-order samples that are lost at a restart.
    assert least("prom/prometheus", 3, 14)
    assert least("prom/alertmanager", 0, 34)
    # CVE-2026-22689.
    assert least("axllent/mailpit", 1, 30)


def test_every_kind_of_pin_is_watched() -> None:
    watched = {
        (each["package-ecosystem"], each["directory"]) for each in read(".github/dependabot.yml")["updates"]
    }
    assert watched == {
        ("docker", "/"),
        ("docker-compose", "/"),
        ("github-actions", "/"),
        ("pip", "/"),
        ("pip", "/docker"),
        ("npm", "/tests/integration/prism"),
        ("npm", "/tests/grafana/grafana_types"),
    }
    assert (ROOT / "tests/integration/prism/package.json").exists()


def test_an_exporter_that_is_not_well_holds_up_no_other_service() -> None:
    conditions = [
        service["depends_on"]["exporter"]["condition"]
        for service in SERVICES.values()
        if "exporter" in service.get("depends_on", {})
    ]
    assert conditions == ["service_started"]


def test_variables_that_the_configuration_may_name_reach_the_exporter() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text() + (ROOT / "README.md").read_text()
    named = set(
        re.findall(r"_env: ([A-Z][A-Z_]+)", page + (ROOT / "docs/spend-exporter.example.yml").read_text())
    )
    passed = {name for name, value in SERVICES["exporter"]["environment"].items() if value is None}
    assert named
    assert named <= passed
    assert passed == {"OPENAI_ADMIN_KEY", "ANTHROPIC_ADMIN_KEY", "LITELLM_KEY"}


def test_links_in_notifications_follow_the_port_of_grafana() -> None:
    url = SERVICES["prometheus"]["environment"]["GRAFANA_URL"]
    assert url == SERVICES["grafana"]["environment"]["GF_SERVER_ROOT_URL"]
    assert "${SPEND_GRAFANA_PORT" in url
    configuration = read("prometheus/prometheus.yml")
    assert configuration["global"]["external_labels"] == {"grafana_url": "${GRAFANA_URL}"}
    assert configuration["alerting"]["alert_relabel_configs"] == [
        {"action": "labeldrop", "regex": "grafana_url"}
    ]
    assert "--enable-feature=expand-external-labels" in SERVICES["prometheus"]["command"]


def test_prometheus_and_grafana_name_services_that_exist() -> None:
    configuration = read("prometheus/prometheus.yml")
    scraped = [
        target
        for job in configuration["scrape_configs"]
        for group in job["static_configs"]
        for target in group["targets"]
    ]
    alerted = [
        target
        for alertmanager in configuration["alerting"]["alertmanagers"]
        for group in alertmanager["static_configs"]
        for target in group["targets"]
    ]
    assert {"exporter:9877", "alertmanager:9093"} <= set(scraped)
    assert set(scraped) - {"localhost:9090"} <= ADDRESSES
    assert set(alerted) <= ADDRESSES
    sources = read("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert {source["url"].removeprefix("http://") for source in sources} <= ADDRESSES


def test_alertmanager_sends_to_an_inbox_that_takes_mail_from_no_one_outside() -> None:
    host, _, port = read("prometheus/alertmanager/alertmanager.yml")["global"]["smtp_smarthost"].partition(
        ":"
    )
    # The port that the image listens on.
    assert port == "1025"
    assert [published.rsplit(":", 1)[1] for published in SERVICES[host]["ports"]] == ["8025"]


def test_no_service_needs_the_inbox() -> None:
    assert [name for name, service in SERVICES.items() if "inbox" in service.get("depends_on", {})] == []


def test_grafana_loads_dashboards_from_the_folder_that_is_mounted() -> None:
    (provider,) = read("grafana/provisioning/dashboards/spend.yml")["providers"]
    mounted = [volume for volume in SERVICES["grafana"]["volumes"] if not isinstance(volume, str)]
    targets = {volume["source"]: volume["target"] for volume in mounted}
    assert targets["./grafana/dashboards"] == provider["options"]["path"]


def test_graphs_have_the_step_of_the_scrapes() -> None:
    (source,) = read("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert (
        source["jsonData"]["timeInterval"] == read("prometheus/prometheus.yml")["global"]["scrape_interval"]
    )


def test_prometheus_takes_every_hour_that_the_demo_sends() -> None:
    receiver = urlsplit(SERVICES["exporter"]["environment"]["SPEND_REMOTE_WRITE_URL"])
    assert receiver.netloc in ADDRESSES
    assert receiver.path == "/api/v1/write"
    assert "--web.enable-remote-write-receiver" in SERVICES["prometheus"]["command"]
    window = read("prometheus/prometheus.yml")["storage"]["tsdb"]["out_of_order_time_window"]
    assert int(window.removesuffix("d")) > PAST_DAYS + 1


@needs("promtool", "prometheus")
def test_promtool_accepts_the_configuration_of_prometheus(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text((ROOT / "prometheus" / "prometheus.yml").read_text())
    (tmp_path / "rules").symlink_to(ROOT / "prometheus" / "rules")
    checked = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
