"""Whether a web address can be reached: its name, a connection, its certificate. Nothing is sent to it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from exporter.reports.delivery.destination import DeliveryError

_TIMEOUT_SECONDS: Final = 10.0
_PORTS: Final = {"https": 443, "http": 80}


def reach(url: str, what: str, key: str, ca_file: Path | None) -> str:
    """Connect to the server of an address, and return how it answers. Raises DeliveryError.

    `what` is how the receiver is called and `key` its place in the configuration: no text has the address,
    which may be a secret.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        host = port = None
    if host is None or port is None:
        raise DeliveryError(f"{what} is no web address; check {key}", transient=False)
    if select_proxy(url, get_environ_proxies(url)) is not None:
        return f"{what} is reached by the proxy of this machine, which was not tried"
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise DeliveryError(
            f"the name of the server of {what} is not known; check {key} and the DNS of this machine",
            transient=True,
        ) from None
    try:
        with socket.create_connection((host, port), _TIMEOUT_SECONDS) as connection:
            if parts.scheme == "https":
                context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
                with context.wrap_socket(connection, server_hostname=host):
                    return f"{what} answers, TLS"
            return f"{what} answers, without TLS"
    except ssl.SSLError as error:
        why = error.reason or type(error).__name__
        raise DeliveryError(
            f"{what} has no certificate that is trusted ({why}); check {key}, or set its ca_file",
            transient=False,
        ) from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise DeliveryError(
            f"the server of {what} takes no connection ({why}); check {key} and the firewall", transient=True
        ) from None
