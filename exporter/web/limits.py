"""How much one client, or all of them together, may ask of the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

LARGEST_BODY_BYTES = 64 * 1024
"""No request needs a body; some clients send a small one all the same."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of connections; docs/operations.md has the reasons."""

    connections: int = 256
    """At the same time. Beyond it the longest idle one is closed; if all are busy, the new one gets 503."""
    head_seconds: float = 10.0
    """From the first byte of a request, or from the connection, to the end of the request's header."""
    handshake_seconds: float = 10.0
    """For the handshake of TLS."""
    handshakes: int = 64
    """At the same time, not counted as connections; beyond it the oldest one is ended."""
    goodbye_seconds: float = 1.0
    """How long the client may take to agree to the end of TLS, and to read why it was refused."""


def refused_body(request: web.BaseRequest) -> web.Response | None:
    """Return the refusal of a request whose body is encoded or large; the body is not read."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        text = "A request with an encoded body is not read; no request here needs a body.\n"
        return _closing(web.Response(status=415, text=text, headers={"Accept-Encoding": "identity"}))
    if (request.content_length or 0) > LARGEST_BODY_BYTES:
        text = f"The body is larger than {LARGEST_BODY_BYTES} bytes; no request here needs one.\n"
        return _closing(web.Response(status=413, text=text))
    return None


def _closing(response: web.Response) -> web.Response:
    response.force_close()
    return response


class SeldomLog:
    """Lets one line through in a while, with the number of those that it kept back."""

    def __init__(self, write: Callable[..., None], clock: Callable[[], float], every_seconds: float = 60.0):
        self._write = write
        self._clock = clock
        self._every_seconds = every_seconds
        self._next = float("-inf")
        self._kept_back = 0

    def __call__(self, text: str, *details: object) -> None:
        """Write the line, or count it."""
        now = self._clock()
        if now < self._next:
            self._kept_back += 1
            return
        more = f" ({self._kept_back} more since the last such line)" if self._kept_back else ""
        self._next, self._kept_back = now + self._every_seconds, 0
        self._write(text + more, *details)
