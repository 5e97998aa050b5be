"""The command `health`: plain, with TLS, with users, with both, with client certificates."""

from __future__ import annotations

import socket
from pathlib import Path

import bcrypt
import pytest

from exporter.cli.main import main
from exporter.web.server import Server
from exporter.web.web_config import load_web_config
from tests.support.certificates import Authority
from tests.support.running import serving, write_config
from tests.support.served import snapshot

HASH = bcrypt.hashpw(b"secret", b"$2b$04$abcdefghijklmnopqrstuu").decode()
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}"
CLIENTS = (
    "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt, "
    "client_auth_type: RequireAndVerifyClientCert}"
)
TLS12 = CLIENTS.replace("}", ", max_version: TLS12}")
USERS = f"basic_auth_users: {{prometheus: {HASH}}}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Authority(tmp_path).sign("server", ["exporter.example.com"])
    return tmp_path


def config_with(folder: Path, web: str | None) -> Path:
    if web is None:
        return write_config(folder, f"{folder}/*.jsonl")
    (folder / "web.yml").write_text(web, encoding="utf-8")
    return write_config(folder, f"{folder}/*.jsonl", web_config_file="web.yml")


@pytest.mark.parametrize(
    ("web", "told"),
    [
        ("", "it answers"),
        (TLS, "it answers"),
        (USERS, "it answers and asks for a user"),
        (f"{TLS}\n{USERS}", "it answers and asks for a user"),
        (CLIENTS, "it answers and asks for a client's certificate"),
        (f"{TLS12}\n{USERS}", "it answers and asks for a client's certificate"),
    ],
    ids=["plain", "tls", "users", "tls and users", "client certificates", "client certificates, TLS 1.2"],
)
def test_a_server_is_healthy_however_it_is_protected(
    folder: Path, web: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_with(folder, web)
    with Server(("127.0.0.1", 0), snapshot, load_web_config(folder / "web.yml")) as server:
        for host in ("127.0.0.1", "0.0.0.0"):
            listen = f"{host}:{server.address[1]}"
            assert main(["health", "--config", str(config), "--listen", listen]) == 0
            assert capsys.readouterr().out == f"spend-exporter: {listen}: {told}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "web", [f"{TLS}\n{USERS}", f"{CLIENTS}\n{USERS}"], ids=["tls", "client certificates"]
)
def test_a_running_exporter_is_healthy_with_tls_and_users(folder: Path, web: str) -> None:
    config = config_with(folder, web)
    with serving(config) as process:
        address = process.address().rpartition("/")[2]
        assert main(["health", "--config", str(config), "--listen", address]) == 0
        process.end()
    assert main(["health", "--config", str(config), "--listen", address]) == 1


def test_nobody_there_is_unhealthy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert main(["health", "--listen", f"127.0.0.1:{port}"]) == 1
    told = capsys.readouterr()
    assert not told.out
    assert "no answer ([Errno 111] Connection refused); its log says why" in told.err


@pytest.mark.slow
@pytest.mark.parametrize("web", [None, TLS, CLIENTS])
def test_one_that_accepts_and_says_nothing_is_unhealthy(
    folder: Path, web: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.cli.commands.health._SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        assert main(["health", "--config", str(config_with(folder, web)), "--listen", address]) == 1


def test_another_protocol_than_the_configured_one_is_unhealthy(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_with(folder, CLIENTS)
    with Server(("127.0.0.1", 0), snapshot) as server:
        address = f"127.0.0.1:{server.address[1]}"
        assert main(["health", "--config", str(config), "--listen", address]) == 1
    assert "does it run with this web_config_file?" in capsys.readouterr().err


def test_a_wrong_configuration_is_refused_as_by_serve(folder: Path) -> None:
    assert main(["health", "--config", str(config_with(folder, "tls_server_config: {key: PRIVATE}"))]) == 2
