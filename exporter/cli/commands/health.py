"""`spend-exporter health`: whether the exporter with this configuration answers; for containers.

It has neither a user's password nor a client's certificate, so being asked for one counts as an answer.
"""

from __future__ import annotations

import argparse
import http.client
import ssl
import sys
from pathlib import Path
from typing import Final

from exporter.cli.argument_types import address
from exporter.cli.arguments import EXIT_TROUBLE
from exporter.config.model import Config, load
from exporter.web.web_config import WebConfig, load_web_config

_SECONDS: Final = 4.0
"""Less than the time limit of the container's health check, so that the reason is shown."""

_ANSWERS: Final = {200: "it answers", 401: "it answers and asks for a user"}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `health`."""
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the configuration that it runs with (default: none, as for the demo)",
    )
    command.add_argument(
        "--listen",
        type=address,
        metavar="HOST:PORT",
        help="where it listens, if not at the key `listen`; all interfaces mean this machine",
    )


def run(chosen: argparse.Namespace) -> int:
    """Ask the running exporter whether it lives; exit 1 if it does not answer."""
    config = load(chosen.config) if chosen.config else Config()
    web = load_web_config(config.web_config_file) if config.web_config_file else WebConfig()
    host, port = chosen.listen or (config.host, config.port)
    alive, text = asked(_reachable(host), port, web)
    print(f"spend-exporter: {host}:{port}: {text}", file=sys.stdout if alive else sys.stderr)
    return 0 if alive else EXIT_TROUBLE


def asked(host: str, port: int, web: WebConfig) -> tuple[bool, str]:
    """Ask /healthz; return whether the exporter lives, and what it did."""
    connection = _connection(host, port, web)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        if web.requires_client_certificate and _ended_by_the_server(error):
            return True, "it answers and asks for a client's certificate"
        if isinstance(error, ssl.SSLError):
            why = error.reason or error
            return False, f"no secure connection ({why}); does it run with this web_config_file?"
        return False, f"no answer ({error or type(error).__name__}); its log says why"
    finally:
        connection.close()
    return status in _ANSWERS, _ANSWERS.get(status, f"it answers with HTTP {status}")


def _ended_by_the_server(error: Exception) -> bool:
    """Return whether it ended the connection, with an alert or without, as it does without a certificate."""
    if isinstance(error, ssl.SSLError):
        return isinstance(error, ssl.SSLEOFError) or "ALERT" in (error.reason or "")
    return isinstance(error, ConnectionResetError | BrokenPipeError)


def _connection(host: str, port: int, web: WebConfig) -> http.client.HTTPConnection:
    if web.ssl_context is None:
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
    # It asks itself and sends no secret; its certificate names other hosts than loopback.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)


def _reachable(host: str) -> str:
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not listening
