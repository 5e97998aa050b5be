"""A scraper for scrape_latency.py: HOST PORT ENCODING SCRAPES; prints the seconds of each scrape as JSON.

A program of its own that imports little, so that several begin soon.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time

WARMING_UP = 3
LAST_CHUNK = b"0\r\n\r\n"


def scrape_repeatedly(host: str, port: int, encoding: str, scrapes: int) -> list[float]:
    """Seconds from sending a request to having its last byte, over one connection."""
    request = (
        f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text;version=1.0.0\r\n"
        f"Accept-Encoding: {encoding}\r\n\r\n"
    ).encode()
    buffer = bytearray(1 << 20)
    pause = threading.Event()
    seconds = []
    with socket.create_connection((host, port)) as connection:
        for number in range(scrapes + WARMING_UP):
            # Apart from each other, as scrapes are, at moments that fall anywhere in a refresh.
            pause.wait(0.011 + 0.0037 * (number % 7))
            begin = time.perf_counter()
            connection.sendall(request)
            head = connection.recv(4096)
            headers, _, body = head.partition(b"\r\n\r\n")
            if b"content-length" in headers.lower():
                left = int(headers.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) - len(body)
                while left > 0:
                    left -= connection.recv_into(buffer)
            elif b"transfer-encoding: chunked" in headers.lower():
                read_chunks(connection, buffer, body)
            else:
                # prometheus_client's server sends no length, and closes.
                while connection.recv_into(buffer):
                    pass
            seconds.append(time.perf_counter() - begin)
            if not any(name in headers.lower() for name in (b"content-length", b"chunked")):
                connection.close()
                connection = socket.create_connection((host, port))  # noqa: PLW2901 - the next one
    connection.close()
    return seconds[WARMING_UP:]


def read_chunks(connection: socket.socket, buffer: bytearray, begin: bytes) -> None:
    """Read to the last chunk, which is empty; what the others hold does not matter."""
    end = begin[-len(LAST_CHUNK) :]
    while end != LAST_CHUNK:
        received = connection.recv_into(buffer)
        if not received:
            raise EOFError("the answer ended before its last chunk")
        end = (end + buffer[max(0, received - len(LAST_CHUNK)) : received])[-len(LAST_CHUNK) :]


if __name__ == "__main__":
    host, port, encoding, scrapes = sys.argv[1:]
    print(json.dumps(scrape_repeatedly(host, int(port), encoding, int(scrapes))))
