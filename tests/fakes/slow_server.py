"""A server on a loopback socket that never answers whole: it says nothing, or one byte at a time for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Literal

_BEGIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_PAUSE_SECONDS = 0.01

Manner = Literal["silent", "header", "body", "last body"]


class SlowServer:
    """Use as a context manager. `open` counts the connections that the other side has not ended."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self.accepted = 0
        self.open = 0

    def __enter__(self) -> SlowServer:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    @property
    def address(self) -> str:
        return f"http://{self.host}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self.accepted += 1
                self.open += 1
            threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while b"\r\n\r\n" not in (received := connection.recv(65536)) and received:
                pass
            connection.settimeout(_PAUSE_SECONDS)
            if self._manner == "header":
                connection.sendall(_BEGIN + b"X-Slow: ")
            elif self._manner != "silent":
                ends = b"Connection: close\r\n" if self._manner == "last body" else b""
                connection.sendall(_BEGIN + ends + b"Content-Length: 1000000\r\n\r\n")
            while not self._ending.is_set():
                if self._manner != "silent":
                    connection.sendall(b" ")
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(1):
                        break
        with self._lock:
            self.open -= 1
