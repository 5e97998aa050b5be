"""A real Alertmanager with the shipped configuration and short waits, and the receivers of its messages."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import yaml

from tests.prometheus.amtool import FOLDER
from tests.prometheus.incident import Alert
from tests.prometheus.receivers import Hooks, Inbox, hooks, inbox
from tests.support.exposed import until
from tests.support.ports import free_port

# Debian's package has the long name.
PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
TOKEN = "token-from-a-file"


@dataclass(frozen=True)
class Alertmanager:
    url: str
    inbox: Inbox
    hooks: Hooks

    def tell(self, *alerts: Alert, resolved: bool = False) -> None:
        """Post alerts as Prometheus does."""
        now = datetime.now(UTC)
        body = json.dumps([alert.posted(now, resolved=resolved) for alert in alerts]).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts", body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 200

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            return str(response.read().decode())

    def message(self, receiver: str, number: int = 1) -> EmailMessage:
        """Wait for the n-th e-mail to a receiver."""
        until(lambda: len(self.inbox.of(receiver)) >= number, f"e-mail {number} to {receiver}")
        return self.inbox.of(receiver)[number - 1]


def shipped_configuration(
    folder: Path, inbox_port: int, hooks_url: str, group_wait: str, group_interval: str
) -> Path:
    """The shipped file with short waits, no working hours, and its two example receivers in use."""
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "slack_url").write_text(f"{hooks_url}/slack\n", encoding="utf-8")
    (secrets / "webhook_token").write_text(TOKEN, encoding="utf-8")
    text = (FOLDER / "alertmanager.yml").read_text(encoding="utf-8")
    config = yaml.safe_load(text.replace("/etc/alertmanager/secrets", str(secrets)))
    config["global"]["smtp_smarthost"] = f"127.0.0.1:{inbox_port}"
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": group_wait, "group_interval": group_interval}
        route.pop("active_time_intervals", None)
    receivers = {receiver["name"]: receiver for receiver in config["receivers"]}
    receivers["webhook"]["webhook_configs"][0]["url"] = f"{hooks_url}/webhook"
    receivers["spending"] |= {"slack_configs": receivers["slack"]["slack_configs"]}
    receivers["spending"] |= {"webhook_configs": receivers["webhook"]["webhook_configs"]}
    shutil.copytree(FOLDER / "templates", folder / "templates")
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@contextlib.contextmanager
def running_alertmanager(
    folder: Path, *, group_wait: str = "1s", group_interval: str = "2s"
) -> Iterator[Alertmanager]:
    """Run the shipped configuration with the test's own receivers and these two waits."""
    address = f"127.0.0.1:{free_port()}"
    with inbox() as mails, hooks() as posts:
        config = shipped_configuration(folder, mails.port, posts.url, group_wait, group_interval)
        command = [
            str(PROGRAM),
            f"--config.file={config}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address={address}",
            "--web.external-url=http://localhost:9093",
            "--web.route-prefix=/",
            "--cluster.listen-address=",
        ]
        log = folder / "alertmanager.log"
        with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
            started = Alertmanager(f"http://{address}", mails, posts)

            def ready() -> bool:
                assert process.poll() is None, log.read_text(encoding="utf-8")
                with contextlib.suppress(OSError):
                    return started.get("/-/ready") == "OK"
                return False

            try:
                until(ready, "Alertmanager is ready")
                yield started
            finally:
                process.terminate()
