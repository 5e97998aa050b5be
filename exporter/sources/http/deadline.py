"""A limit on the whole time of a request: looking up the name, connecting, TLS, header and body together.

The timeouts of an HTTP client start anew with each byte, and none covers the look-up of a name. So the
request runs in a thread of its own; when it is late its connections are cut, which ends that thread as well.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, Self, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_Result = TypeVar("_Result")


def within(seconds: float, call: Callable[[], _Result], *sessions: requests.Session) -> _Result:
    """Return what `call` returns. Raises requests.exceptions.Timeout after so many seconds.

    `sessions` are those that it uses, made by `cuttable`; they can be used again after a timeout.
    """
    ended: Future[_Result] = Future()

    def run() -> None:
        try:
            ended.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where the caller waits
            ended.set_exception(error)

    # A daemon: a look-up of a name cannot be ended, and must not hold up the end of the process.
    threading.Thread(target=run, name="request", daemon=True).start()
    wait([ended], timeout=max(0.0, seconds))
    if not ended.done():
        for session in sessions:
            _cut(session)
        raise requests.exceptions.Timeout
    for session in sessions:
        for adapter in _adapters(session):
            adapter.forget_closed()
    return ended.result()


_Session = TypeVar("_Session", bound=requests.Session)


def cuttable(session: _Session, secure: CuttableAdapter | None = None) -> _Session:
    """Return the session, with connections that `within` can cut; `secure` makes those over TLS."""
    session.mount("http://", CuttableAdapter())
    session.mount("https://", secure or CuttableAdapter())
    return session


class CuttableAdapter(HTTPAdapter):
    """Knows its open connections."""

    def __init__(self) -> None:
        self._lines = _Lines()
        super().__init__()

    def fresh(self) -> Self:
        """Return another one with the same settings."""
        return type(self)()

    def cut(self) -> None:
        """End all connections, also those that are being made; it is of no use afterwards."""
        self._lines.cut()

    def forget_closed(self) -> None:
        """Let go of connections that have ended."""
        self._lines.forget_closed()

    def close(self) -> None:
        """Close all connections."""
        super().close()
        self._lines.close()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        """Make the pool of connections."""
        super().init_poolmanager(connections, maxsize, block, **more)
        self.poolmanager.pool_classes_by_scheme = _pools(self._lines)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """Return the pool of connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **more)
        manager.pool_classes_by_scheme = _pools(self._lines)
        return manager


class _Lines:
    """Further handles of the sockets of open connections: TLS takes the first ones away. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[tuple[HTTPConnection, socket.socket]] = []
        self._is_cut = False

    def add(self, connection: HTTPConnection, made: socket.socket) -> None:
        with self._lock:
            if self._is_cut:
                made.close()
                raise TimeoutError
            self._open.append((connection, socket.socket(fileno=os.dup(made.fileno()))))

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            for _, line in self._open:
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
                line.close()
            self._open.clear()

    def close(self) -> None:
        with self._lock:
            for _, line in self._open:
                line.close()
            self._open.clear()

    def forget_closed(self) -> None:
        with self._lock:
            closed = [each for each in self._open if each[0].sock is None]
            self._open = [each for each in self._open if each[0].sock is not None]
        for _, line in closed:
            line.close()


def _pools(lines: _Lines) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            lines.add(self, made)
            return made

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            made = super()._new_conn()
            lines.add(self, made)
            return made

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _adapters(session: requests.Session) -> list[CuttableAdapter]:
    return [each for each in session.adapters.values() if isinstance(each, CuttableAdapter)]


def _cut(session: requests.Session) -> None:
    for prefix, adapter in list(session.adapters.items()):
        if isinstance(adapter, CuttableAdapter):
            session.mount(prefix, adapter.fresh())
            adapter.cut()
            adapter.close()
