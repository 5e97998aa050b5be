"""Opens the socket that the server listens on."""

from __future__ import annotations

import os
import socket
from typing import Final

BACKLOG: Final = 128
"""Connections that wait to be accepted."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens; an empty host or `::` is every interface, IPv4 and IPv6.

    Raises OSError with what to do.
    """
    everywhere = host in ("", "::") and socket.has_dualstack_ipv6()
    try:
        if everywhere:
            return socket.create_server(
                ("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True
            )
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)  # noqa: S104 - the user chose it
        family, *_, address = found[0]
        return socket.create_server((str(address[0]), port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        text = f"cannot listen on {host}:{port} ({reason}); free that address or set another `listen`"
        raise OSError(text) from error
