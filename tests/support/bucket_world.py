"""A bucket on a real S3 server, a source that reads it, and a ledger that keeps what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from exporter.config.model import parse
from exporter.core.backoff import Backoff
from exporter.ledger.charges.store import Ledger
from exporter.refresh.intake import Intake
from exporter.sources.base import (
    Batch,
    Change,
    RefreshTally,
    Source,
    Unreadable,
    UsageAddition,
    UsageChange,
)
from exporter.sources.registry import REGISTRY
from exporter.wiring.sources import configured_sources
from tests.fakes.s3_proxy import S3Proxy, s3_proxy

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
BUCKET = "bills"
ALL_TIME = {"all": (datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))}

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(slots=True)
class S3World:
    """One bucket, empty at first."""

    folder: Path
    proxy: S3Proxy
    client: Any
    """boto3's, straight to the server."""
    settings: str = ""
    """More of the configuration, in YAML."""
    now: datetime = NOW
    seen: list[Change | UsageChange] = field(default_factory=list, init=False)
    """What the last refresh yielded."""
    slept: list[float] = field(default_factory=list, init=False)
    """Seconds that were waited for a throttled store, without jitter; nobody waits for so long."""
    patience_seconds: float = 4.0
    """How much waiting it may be in one refresh."""
    tally: RefreshTally = field(default_factory=RefreshTally, init=False)
    ledger: Ledger = field(init=False)
    source: Source = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "spool").mkdir(parents=True)
        self.ledger = Ledger(self.folder / "spend.duckdb")

    def reads(self, *patterns: str, section: str = "focus: {{files: [{}]}}") -> None:
        """Make the source of these patterns."""
        text = section.format(", ".join(f'"{pattern}"' for pattern in patterns))
        endpoint = f"object_storage: {{s3: {{endpoint_url: {self.proxy.url}}}{self.settings}}}"
        config = parse(f"ledger: {self.folder}/spend.duckdb\n{text}\n{endpoint}", self.folder)
        (self.source,) = configured_sources(config, {}, REGISTRY)
        objects = getattr(self.source, "objects", None)
        if objects is not None:
            objects.new_patience = partial(
                Backoff, total_seconds=self.patience_seconds, sleep=self.slept.append, jitter=lambda: 1.0
            )

    def put(self, key: str, content: bytes | Path, **options: str) -> None:
        body = content.read_bytes() if isinstance(content, Path) else content
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body, **options)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=key)

    def refresh(self) -> Decimal:
        """Read what changed; return the net cost of all that is known. Raises SourceError."""
        self.proxy.counts.clear()
        self.slept.clear()
        intake = Intake(self.ledger, self.folder / "spool", timedelta(days=400), lambda: self.now)
        self.tally = RefreshTally()
        context = intake.context(self.source, self.tally, lambda: False)
        self.seen = []
        with intake.receiving(self.source, context) as receiver:
            for change in self.source.refresh(context):
                self.seen.append(change)
                receiver.take(change)
        return self.net()

    def look_again(self) -> None:
        """Let so much time pass that buckets are listed anew."""
        self.now += timedelta(minutes=10)

    @property
    def additions(self) -> list[UsageAddition]:
        return [change for change in self.seen if isinstance(change, UsageAddition)]

    def net(self) -> Decimal:
        with self.ledger.view([self.source.name]) as view:
            sums = [
                amounts[0]
                for provider in view.providers()
                for _, amounts in view.window_sums(provider, ALL_TIME)
            ]
        return sum((amount for amount in sums if amount is not None), Decimal(0))

    @property
    def said(self) -> list[str]:
        """What the last refresh could not read or refused, as reasons, places and details."""
        rejected = [
            each
            for change in self.seen
            for each in (
                change.rejected
                if isinstance(change, Batch)
                else [change.rejected]
                if isinstance(change, Unreadable)
                else []
            )
        ]
        return [f"{each.reason} {each.place}: {each.detail}" for each in rejected]

    @property
    def partitions(self) -> list[str]:
        return sorted(change.partition for change in self.seen)

    def findings(self) -> list[str]:
        intake = Intake(self.ledger, self.folder / "spool", timedelta(days=400), lambda: self.now)
        context = intake.context(self.source, RefreshTally(), lambda: False)
        return [
            f"{'ok' if each.ok else 'TROUBLE'} {each.what}: {each.detail}"
            for each in self.source.check(context)
        ]


@contextmanager
def s3_server(environment: Callable[[str, str], None]) -> Iterator[tuple[S3Proxy, Any]]:
    """Start a server and a proxy in front of it; `environment` sets a variable. Yields proxy and client."""
    import boto3
    from botocore.config import Config
    from moto.server import ThreadedMotoServer

    for name, value in ENVIRONMENT.items():
        environment(name, value)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            config=Config(request_checksum_calculation="when_required"),
        )
        with s3_proxy((host, port)) as proxy:
            yield proxy, client
        client.close()
    finally:
        server.stop()


def emptied(client: Any, names: Sequence[str] = (BUCKET,)) -> None:
    """Make the buckets anew."""
    import requests

    requests.post(f"{client.meta.endpoint_url}/moto-api/reset", timeout=10).raise_for_status()
    for name in names:
        client.create_bucket(Bucket=name)
