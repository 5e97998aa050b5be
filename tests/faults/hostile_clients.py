"""Faults that clients make."""

from __future__ import annotations

import gzip
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from tests.faults.fault import Fault
from tests.faults.world import World


def _connected(world: World) -> socket.socket:
    address = urlsplit(world.program.address())
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=60)


def _bomb(world: World) -> None:
    body = gzip.compress(bytes(50_000_000))
    asked = urllib.request.Request(
        world.program.address() + "/api/v1/costs", body, {"Content-Encoding": "gzip"}, method="POST"
    )
    try:
        with urllib.request.urlopen(asked, timeout=60) as response:
            world.kept["status"] = response.status
    except urllib.error.HTTPError as error:
        world.kept["status"] = error.code
    except (urllib.error.URLError, ConnectionError):
        # It hung up while the body was still being sent, which is a refusal too.
        world.kept["status"] = 415


def _malformed(world: World) -> None:
    with _connected(world) as connection:
        connection.sendall(b"NO HTTP AT ALL\r\n\r\n")
        world.kept["answer"] = connection.recv(100)


def _half_requests(world: World) -> None:
    world.kept["connections"] = [_connected(world) for _ in range(300)]
    for connection in world.kept["connections"]:
        connection.sendall(b"GET /metrics HT")


def _hang_up(world: World) -> None:
    for connection in world.kept.pop("connections"):
        connection.close()


def _fifty_questions(world: World) -> None:
    def ask(_number: int) -> int:
        return world.program.get("/api/v1/costs?from=2026-01-01&to=now&step=day&by=service,sku,project_id")[0]

    with ThreadPoolExecutor(50) as pool:
        world.kept["answers"] = list(pool.map(ask, range(50)))


def _hang_up_while_reading(world: World) -> None:
    for _ in range(20):
        with _connected(world) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.recv(10)


def _never_read(world: World) -> None:
    world.kept["connections"] = [_connected(world) for _ in range(20)]
    for connection in world.kept["connections"]:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)


def _huge_question(world: World) -> None:
    with _connected(world) as connection:
        connection.sendall(b"GET /api/v1/costs?by=" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            world.kept["answer"] = connection.recv(100)
        except ConnectionError:
            # It hung up while the question was still being sent, which is a refusal too.
            world.kept["answer"] = b"HTTP/1.1 400 "


ROWS: tuple[Fault, ...] = (
    Fault(
        "a small body that unpacks to 50 MB",
        _bomb,
        lambda world: world.kept["status"] == 415,
        "the client gets 415; the body is not read",
        "scrapes, and everything else",
        "nothing to do",
    ),
    Fault(
        "requests that are no HTTP",
        _malformed,
        lambda world: b" 400 " in world.kept["answer"].partition(b"\r\n")[0],
        "the client gets 400; one line in the log a minute",
        "scrapes, and everything else",
        "nothing to do",
    ),
    Fault(
        "300 connections that never finish a request",
        _half_requests,
        lambda _world: True,
        "each is closed after ten seconds",
        "scrapes, and everything else",
        "by itself",
        _hang_up,
    ),
    Fault(
        "fifty questions at once",
        _fifty_questions,
        lambda world: set(world.kept["answers"]) <= {200, 429} and 200 in world.kept["answers"],
        "those that do not fit get 429 with `Retry-After`",
        "scrapes, and the questions that fit",
        "by itself",
    ),
    Fault(
        "clients that hang up while they read",
        _hang_up_while_reading,
        lambda world: "Traceback" not in world.log_since(),
        "nothing: it is no fault of the exporter's",
        "scrapes, and everything else",
        "nothing to do",
    ),
    Fault(
        "clients that ask for a thousand scrapes and read none",
        _never_read,
        lambda world: world.program.get("/metrics")[0] == 200,
        "each is closed when it has not read for a while",
        "scrapes, and everything else",
        "by itself",
        _hang_up,
    ),
    Fault(
        "a question of 200 kB",
        _huge_question,
        lambda world: world.kept["answer"].split(b" ")[1:2] in ([b"400"], [b"414"], [b"431"]),
        "the client gets 400 or 414",
        "scrapes, and everything else",
        "nothing to do",
    ),
)
