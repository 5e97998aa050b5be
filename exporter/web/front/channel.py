"""Messages between the exporter and its front: a few named values, and open files that go with them."""

from __future__ import annotations

import errno
import json
import os
import socket
from array import array
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

_LARGEST_BYTES: Final = 200_000
"""What the system lets one message have with its usual buffers."""
_MOST_FILES: Final = 4
"""With one message: the parts of an exposition."""
_ROOM_FOR_FILES: Final = socket.CMSG_LEN(_MOST_FILES * array("i").itemsize)
_RECEIVING: Final = socket.MSG_DONTWAIT | getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class ClosedError(Exception):
    """One side has closed its end, or is no more."""


class LostFileError(OSError):
    """A message came without all of its files: this process may not have more open ones."""


class Channel:
    """One end. Messages arrive whole and in order; the files sent with them are copies."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """Return one end, and the socket of the other for another process."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), theirs

    def fileno(self) -> int:
        """Return the descriptor, to wait for messages."""
        return self._end.fileno()

    def send(self, kind: str, values: Any, files: Sequence[int] = (), *, wait: bool = True) -> None:
        """Send a message; files stay open here. Raises ClosedError, BlockingIOError unless it may wait."""
        flags = socket.MSG_NOSIGNAL | (0 if wait else socket.MSG_DONTWAIT)
        try:
            # Not socket.send_fds and recv_fds: they ignore the flags.
            self._end.sendmsg(
                [json.dumps([kind, values]).encode()],
                [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", files))] if files else [],
                flags,
            )
        except (BrokenPipeError, ConnectionError) as error:
            raise ClosedError from error
        except OSError as error:
            if error.errno == errno.EBADF:
                # This end was closed by another thread: the exporter is stopping.
                raise ClosedError from error
            raise

    def receive(self) -> tuple[str, Any, list[int]] | None:
        """Return kind, values and files of the next message, None without one.

        Raises ClosedError; LostFileError, after which there may be more messages.
        """
        try:
            data, beside, flags, _ = self._end.recvmsg(_LARGEST_BYTES, _ROOM_FOR_FILES, _RECEIVING)
        except BlockingIOError:
            return None
        except ConnectionError as error:
            raise ClosedError from error
        if not data:
            raise ClosedError
        files = array("i")
        for _level, _type, content in beside:
            files.frombytes(content)
        if flags & socket.MSG_CTRUNC:
            for file in files:
                os.close(file)
            raise LostFileError(errno.EMFILE, "too many open files: raise the limit of open files")
        kind, values = json.loads(data)
        return kind, values, files.tolist()

    def close(self) -> None:
        """Close this end."""
        with suppress(OSError):
            self._end.close()
