"""Snapshots to serve, plain requests to a running server, and whether anything listens any more."""

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from exporter.metrics.exposition.exposition import render
from exporter.metrics.families import Family, FamilySamples
from exporter.metrics.snapshot import Snapshot
from exporter.sources.status import SourceStatus
from exporter.web.server import Server
from tests.support.exposed import DEADLINE_SECONDS

COST = Family("cost_usd", "gauge", ("sku",), "What it cost.", "usd")
BILLED = Family("billed_usd_total", "counter", ("sku",), "What was billed.", "usd")
BUILT_AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def snapshot(
    value: float = 1.0,
    series: int = 3,
    sku_bytes: int = 8,
    *,
    ready: bool = True,
    sources: tuple[SourceStatus, ...] = (),
    totals: tuple[tuple[str, Decimal | None], ...] = (),
) -> Snapshot:
    """A snapshot in which every sample has the same value."""
    samples = [((f"{number:0{sku_bytes}d}",), value) for number in range(series)]
    exposition = render([FamilySamples(COST, samples), FamilySamples(BILLED, samples)])
    return Snapshot(exposition, BUILT_AT, ready, sources, totals)


def large_snapshot() -> Snapshot:
    """A snapshot far larger than what the operating system buffers for a connection."""
    return snapshot(series=2000, sku_bytes=12_000)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def request(
    server: Server,
    path: str,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    context: ssl.SSLContext | None = None,
) -> Answer:
    host, port = server.address
    if context is None:
        connection = http.client.HTTPConnection(host, port, timeout=DEADLINE_SECONDS)
    else:
        connection = http.client.HTTPSConnection(host, port, timeout=DEADLINE_SECONDS, context=context)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def refuses_connections(address: tuple[str, int]) -> bool:
    """Return whether nothing listens there."""
    try:
        socket.create_connection(address, timeout=DEADLINE_SECONDS).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        # The system had taken this one when the listener closed.
        return False
    return False
