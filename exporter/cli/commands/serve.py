"""`spend-exporter serve`: refresh in the background and answer scrapes until it is stopped."""

from __future__ import annotations

import argparse
import atexit
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from exporter import __version__
from exporter.cli.arguments import add_config, add_listen, print_address
from exporter.cli.commands.serve_reload import ConfigWatch, inherited_socket, start_again
from exporter.config.model import Config, load
from exporter.metrics.families import FamilySamples
from exporter.metrics.snapshot import Snapshot
from exporter.refresh.freed_memory import share_heaps
from exporter.reports.delivery.sender import ReportSender
from exporter.reports.delivery.status import DeliveryStatus
from exporter.sources.base import Source
from exporter.web.front.front import AVAILABLE as FRONT_AVAILABLE
from exporter.web.listening import listening_socket
from exporter.web.server import Server
from exporter.web.web_config import WebConfig, load_web_config
from exporter.wiring.questions import refresher_questions
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.reports import refresher_reports, report_sender
from exporter.wiring.secret_files import open_secrets
from exporter.wiring.sources import configured_sources

logger = logging.getLogger(__name__)

THREAD_SWITCH_SECONDS = 0.0005
"""A scrape needs the interpreter a few times; each time it may wait this long while a snapshot is built."""

LOOK_FOR_SIGNALS_SECONDS = 0.5

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

STOP_SECONDS = 5.0
"""How long a running refresh may take to finish its partition; open responses then get the same time."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `serve`."""
    add_config(command)
    add_listen(command)


def run(chosen: argparse.Namespace) -> int:
    """Refresh the configured sources in the background and answer scrapes until stopped."""
    config = load(chosen.config)
    stopping = stop_on_signals()
    watch = ConfigWatch(chosen.config, config, os.environ, lambda: datetime.now(UTC))
    signal.signal(signal.SIGHUP, lambda _number, _frame: watch.ask())
    listen = chosen.listen or (config.host, config.port)
    with inherited_socket(os.environ) or listening_socket(*listen) as listening:
        serve(config, listen, stopping, print_address, listening=listening, watch=watch)
        if watch.taken_over:
            hold_signals()
            if not stopping.is_set():
                start_again(listening)
    return 0


def serve(
    config: Config,
    listen: tuple[str, int],
    stopping: threading.Event,
    announce: Callable[[str], None] = lambda _address: None,
    more_sources: Sequence[Source] = (),
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    listening: socket.socket | None = None,
    watch: ConfigWatch | None = None,
) -> None:
    """Serve until `stopping` is set, or `watch` has taken over another configuration.

    `announce` gets the base address once it answers. `more_sources` are read in addition to the configured
    ones; `clock` is the time of everything shown. `listening` is a socket that listens at `listen` already.

    Raises ConfigError for the web configuration file, LedgerError, and OSError where the address is taken or
    the process that answers scrapes has ended.
    """
    share_heaps()
    sources = [*configured_sources(config, os.environ), *more_sources]
    web_config = load_web_config(config.web_config_file) if config.web_config_file else WebConfig()
    for renamed in config.renamed_keys:
        logger.warning("configuration: %s", renamed)
    for text in open_secrets(config, web_config, os.environ):
        logger.warning("%s", text)
    if config.keys_without_effect:
        logger.info(
            "these keys are set but have no effect in this version: %s", ", ".join(config.keys_without_effect)
        )
    deliveries = DeliveryStatus()

    def more_families() -> list[FamilySamples]:
        return deliveries.families() + (watch.families() if watch is not None else [])

    with opened_refresher(config, sources, config.ledger, clock, more_families, mends=True) as refresher:
        reports = refresher_reports(config, sources, refresher, clock)
        front_ended = threading.Event()

        server = Server(
            listen,
            lambda: refresher.snapshot,
            web_config,
            version=__version__,
            stop_timeout_seconds=STOP_SECONDS,
            now=clock,
            questions=refresher_questions(config, sources, refresher, clock),
            grafana_url=config.grafana_url,
            report=reports.answer,
            front=FRONT_AVAILABLE,
            when_front_ends=front_ended.set,
            listening=listening.dup() if listening is not None else None,
        )
        refresher.show_first(server.show)
        server.start()
        try:
            refresher.start()
            announce(server.url.rstrip("/"))
            sender = report_sender(
                config,
                reports,
                clock,
                lambda: _bills_read(refresher.snapshot),
                status=deliveries,
                changed=refresher.wake,
            )
            with _sending(sender):
                # A signal may reach another thread; Python handles it only when this thread wakes.
                while not stopping.wait(LOOK_FOR_SIGNALS_SECONDS) and not front_ended.is_set():
                    if watch is not None and watch.look(refresher.wake):
                        break
            logger.info("stopping")
        finally:
            if not refresher.stop(STOP_SECONDS):
                logger.warning("a refresh is still running and is aborted; the next start continues it")
                atexit.register(_leave_at_once, 0)
            server.stop()
        if front_ended.is_set():
            raise OSError("the process that answers scrapes has ended; start the exporter again")


@contextmanager
def _sending(sender: ReportSender | None) -> Iterator[None]:
    """Send reports in a thread until the end of the block."""
    if sender is None:
        yield
        return
    thread = threading.Thread(target=sender.run, name="report-sender", daemon=True)
    thread.start()
    try:
        yield
    finally:
        sender.stop()
        thread.join(STOP_SECONDS)
        if thread.is_alive():
            logger.warning(
                "a report is still being sent; if that is not known to have ended, it is sent again"
            )
            atexit.register(_leave_at_once, 0)


def _bills_read(snapshot: Snapshot) -> bool:
    """Return whether each bill was read, or tried, since the start."""
    return bool(snapshot.sources) and all(
        source.up is not None for source in snapshot.sources if source.reads_bill
    )


def stop_on_signals() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set; a second signal ends the process at once."""
    stopping = threading.Event()

    def stop(number: int, _frame: object) -> None:
        if stopping.is_set():
            atexit.register(_leave_at_once, 128 + number)
            sys.exit(128 + number)
        stopping.set()

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    # The program that started itself again holds them.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    sys.setswitchinterval(THREAD_SWITCH_SECONDS)
    return stopping


def hold_signals() -> None:
    """Have signals that end the program wait for `stop_on_signals`, also after a start of its own."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def _leave_at_once(code: int) -> None:
    """End without waiting for threads: one that is inside DuckDB would make the interpreter's end abort."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
