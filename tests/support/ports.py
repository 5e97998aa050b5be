"""Finds a port of loopback for a program that is told one before it starts, or where nobody shall answer."""

import random
import socket
from typing import Final

_BELOW_THOSE_OF_CONNECTIONS: Final = range(12_000, 32_000)
"""Linux gives a connection, and a server that asks for any port, one from 32768 on: none of these."""

_CHOICE: Final = random.SystemRandom()
"""Its own chance: Hypothesis seeds the common one, so that two processes would choose the same ports."""

_MOST_TRIES: Final = 100


def free_port() -> int:
    """Return a port on which nobody listens. Raises RuntimeError where a hundred tries find none."""
    for _ in range(_MOST_TRIES):
        port = _CHOICE.choice(_BELOW_THOSE_OF_CONNECTIONS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError(f"no free port among {_MOST_TRIES} of {_BELOW_THOSE_OF_CONNECTIONS}")
