"""Recognizes an ordinary scrape. Everything else is left to the server behind, which knows all of HTTP.

Strict on purpose: a request that two programs read differently is how others are smuggled in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_END: Final = b"\r\n\r\n"
_REQUEST_LINE: Final = re.compile(r"GET /metrics(?:\?[!-~]*)? HTTP/1\.1")
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~]*?)[ \t]*")
_ONCE: Final = frozenset({"host", "authorization", "connection"})
_NOT_HERE: Final = frozenset(
    {"content-length", "content-encoding", "transfer-encoding", "expect", "upgrade", "http2-settings"}
)
"""Headers of requests with a body, or of other protocols."""


@dataclass(frozen=True, slots=True)
class ScrapeRequest:
    """What counts in a scrape."""

    accept: str = ""
    accept_encoding: str = ""
    authorization: str = ""
    keeps_open: bool = True
    """Whether the connection is for further requests."""


def scrape_request(head: bytes) -> ScrapeRequest | None:
    """Return the scrape that the head of a request is, with its empty line; None for anything else."""
    if not (head.endswith(_END) and head.isascii()):
        return None
    first, *lines = head.removesuffix(_END).decode().split("\r\n")
    if not _REQUEST_LINE.fullmatch(first):
        return None
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None:
            return None
        name, value = found[1].lower(), found[2]
        if name in _NOT_HERE or (name in _ONCE and name in headers):
            return None
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    connection = headers.get("connection", "keep-alive").lower()
    if "host" not in headers or connection not in ("keep-alive", "close"):
        return None
    return ScrapeRequest(
        headers.get("accept", ""),
        headers.get("accept-encoding", ""),
        headers.get("authorization", ""),
        connection == "keep-alive",
    )
