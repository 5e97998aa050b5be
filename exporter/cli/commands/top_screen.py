"""The terminal of `spend-exporter top`: the alternate screen, keys, signals, and the terminal as it was."""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, TextIO

from rich.console import Console
from rich.live import Live

from exporter.cli.commands.top_view import View
from exporter.client import BusyError, SpendClient, SpendError, Summary, UnreachableError

_DRAW_SECONDS: Final = 1.0
"""Ages grow between updates as well."""


class Screen:
    """Shows the stream of an exporter until it is told to quit."""

    def __init__(self, client: SpendClient, console: Console, keys: TextIO) -> None:
        self._client = client
        self._console = console
        self._keys = keys

    async def show(self) -> int:
        """Return the exit code: 0 after q, 128 and its number after a signal. Raises SpendError."""
        loop = asyncio.get_running_loop()
        # Before anything is drawn, so that an error is printed on the usual screen.
        first = await asyncio.to_thread(self._client.summary)
        ended: asyncio.Future[int] = loop.create_future()

        def end(code: int) -> None:
            if not ended.done():
                ended.set_result(code)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end, 128 + number)
        with (
            _keys_at_once(self._keys, lambda: end(0)) as keys,
            Live(console=self._console, screen=True, auto_refresh=False) as live,
        ):
            loop.add_signal_handler(signal.SIGTSTP, _pause, live, keys)
            drawing = _Drawing(live, View(self._client.access.base, first))
            loop.add_signal_handler(signal.SIGWINCH, drawing.draw)
            following = asyncio.create_task(self._follow(drawing))
            ends: list[asyncio.Future[Any]] = [ended, following]
            while not any(each.done() for each in ends):
                drawing.draw()
                await asyncio.wait(ends, timeout=_DRAW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            following.cancel()
            await asyncio.wait([following])
        if not following.cancelled():
            following.result()
        return ended.result()

    async def _follow(self, drawing: _Drawing) -> None:
        while True:
            try:
                updates = self._client.stream(lost=drawing.lost)
                async with aclosing(updates):
                    async for update in updates:
                        drawing.updated(update)
            except (UnreachableError, BusyError) as error:
                # The exporter answered just before: it starts again, or all its streams are taken.
                drawing.lost(error)
                await asyncio.sleep(_DRAW_SECONDS)


class _Drawing:
    """The last figures and what has happened since."""

    def __init__(self, live: Live, view: View) -> None:
        self._live = live
        self._view = view
        self._received = time.monotonic()

    def updated(self, summary: Summary) -> None:
        """Show a new update."""
        self._view = View(self._view.url, summary)
        self._received = time.monotonic()
        self.draw()

    def lost(self, error: SpendError) -> None:
        """Show that there is no connection."""
        self._view = replace(self._view, lost=str(error))
        self.draw()

    def draw(self) -> None:
        """Draw it in the present size of the terminal."""
        self._view = replace(self._view, age_seconds=time.monotonic() - self._received)
        self._live.update(self._view, refresh=True)


def _pause(live: Live, keys: _Keys) -> None:
    """Give the terminal back while the shell has it, after Ctrl-Z, and take it again afterwards."""
    live.stop()
    keys.usual()
    os.kill(os.getpid(), signal.SIGSTOP)
    keys.at_once()
    live.start(refresh=True)


@dataclass(frozen=True, slots=True)
class _Keys:
    """Modes of the terminal: as it was, and with each key at once and unseen."""

    usual: Callable[[], None] = lambda: None
    at_once: Callable[[], None] = lambda: None


@contextmanager
def _keys_at_once(keys: TextIO, quit_now: Callable[[], None]) -> Iterator[_Keys]:
    """Take each key at once and unseen, and quit at q; afterwards the terminal is as it was."""
    if not keys.isatty():
        yield _Keys()
        return
    loop, file = asyncio.get_running_loop(), keys.fileno()
    before = termios.tcgetattr(file)

    def take() -> None:
        read = os.read(file, 1024)
        if not read or b"q" in read.lower():
            quit_now()

    modes = _Keys(
        usual=lambda: termios.tcsetattr(file, termios.TCSADRAIN, before),
        at_once=lambda: _set_cbreak(file),
    )
    try:
        modes.at_once()
        loop.add_reader(file, take)
        yield modes
    finally:
        loop.remove_reader(file)
        modes.usual()


def _set_cbreak(file: int) -> None:
    tty.setcbreak(file)
