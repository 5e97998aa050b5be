"""From the configuration to the sender of hourly costs, with the receiver and its credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from exporter.config.history import RemoteWrite
from exporter.config.model import Config
from exporter.core.secrets import secret_reader
from exporter.history.remote_write import Receiver
from exporter.history.sender import HistorySender
from exporter.history.store import Store
from exporter.ledger.charges.daily_parts import Division
from exporter.ledger.charges.store import Ledger

_SECTION = "history.remote_write"


def history_sender(
    config: Config,
    ledger: Ledger,
    sources: Sequence[str],
    clock: Callable[[], datetime],
    zones: Mapping[str, str],
    *,
    divisions: Sequence[Division] = (),
) -> HistorySender | None:
    """Return what sends the charges of `sources`; None where no receiver is configured.

    `zones` are the billing zones by provider; days of others are those of UTC. `divisions` are those by which
    days are sent as well.

    Nothing is read or connected yet.
    """
    wanted = config.history.remote_write if config.history else None
    if config.history is None or wanted is None:
        return None
    job = config.history.job or ""
    since = timedelta(days=wanted.since_days)
    to = receiver(wanted, config.timeouts.request_seconds)
    store = Store(wanted.query_url, to, job) if wanted.query_url else None
    return HistorySender(
        ledger,
        to,
        sources,
        since=since,
        clock=clock,
        store=store,
        zones=zones,
        divisions=divisions,
        job=job,
    )


def receiver(wanted: RemoteWrite, timeout_seconds: float) -> Receiver:
    """Return the configured receiver."""
    tls = wanted.tls
    pair = (tls.cert_file, tls.key_file) if tls else (None, None)
    return Receiver(
        wanted.url,
        dict(wanted.headers),
        _authorization(wanted),
        ca_file=str(tls.ca_file) if tls and tls.ca_file else None,
        certificate=(str(pair[0]), str(pair[1])) if pair[0] and pair[1] else None,
        server_name=tls.server_name if tls else None,
        timeout_seconds=timeout_seconds,
    )


def _authorization(wanted: RemoteWrite) -> Callable[[], tuple[str, ...]] | None:
    if wanted.basic_auth is not None:
        user = wanted.basic_auth.username
        password = _secret("basic_auth.password_file", wanted.basic_auth.password_file, spaces=True)
        return lambda: (user, password())
    if wanted.bearer_token_file is not None:
        token = _secret("bearer_token_file", wanted.bearer_token_file)
        return lambda: (token(),)
    return None


def _secret(key: str, path: Path, *, spaces: bool = False) -> Callable[[], str]:
    return secret_reader(f"{_SECTION}.{key}", path, None, {}, spaces=spaces)
