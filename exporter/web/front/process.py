"""The front's program: `python -m exporter.web.front.process CHANNEL LISTENING`, two open descriptors.

It ends when the exporter does, and imports little: its memory comes on top of the exporter's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress

from exporter.web.front.channel import Channel, ClosedError
from exporter.web.front.desk import ScrapeDesk
from exporter.web.front.settings import FrontSettings


class ToExporter(logging.Handler):
    """Hands log records to the exporter, which knows where they go."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; where the exporter takes none, because it was killed, it is a line of its own."""
        line = self.format(record)
        try:
            self._channel.send("log", [record.levelno, line], wait=False)
        except (ClosedError, OSError):
            sys.stderr.write(f"{line}\n")


async def _serve(channel: Channel, listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    settings = None
    while settings is None:
        arrived = loop.create_future()
        loop.add_reader(channel.fileno(), arrived.set_result, None)
        await arrived
        loop.remove_reader(channel.fileno())
        if message := channel.receive():
            settings = FrontSettings.of_plain(message[1])
    # The exporter adds the rest: when, and how bad it is.
    logging.basicConfig(level=settings.log_level, format="%(message)s", handlers=[ToExporter(channel)])
    desk = ScrapeDesk(channel, settings)

    def take() -> None:
        try:
            desk.take_messages()
        except ClosedError:
            # The exporter has ended, and whoever manages it sees no second program.
            os._exit(0)

    loop.add_reader(channel.fileno(), take)
    await desk.serve(listening)


def main() -> None:
    """Serve until the exporter says so or ends."""
    # A terminal or a process manager may send them to both: the exporter says when to stop.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    channel, listening = (socket.socket(fileno=int(argument)) for argument in sys.argv[1:3])
    with suppress(ClosedError):
        asyncio.run(_serve(Channel(channel), listening))


if __name__ == "__main__":
    main()
