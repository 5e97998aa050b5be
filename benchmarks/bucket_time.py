"""Refreshing a bill in a bucket, compared with the same files on disk and their plain download.

    python benchmarks/bucket_time.py [MEGABYTES] [OBJECTS]

The bucket is on a local S3 server (moto). OBJECTS small files are read once, and then looked at unchanged.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import duckdb
import requests
from botocore.config import Config as ClientConfig

from exporter.config.model import parse
from exporter.ledger.charges.store import Ledger
from exporter.refresh.intake import Intake
from exporter.sources.base import RefreshTally
from exporter.wiring.sources import configured_sources

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
FILES = 8


@contextmanager
def bucket() -> Iterator[Any]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "example",
        "AWS_SECRET_ACCESS_KEY": "example",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            while True:
                try:
                    requests.get(f"{url}/moto-api/", timeout=5)
                    break
                except requests.ConnectionError:
                    time.sleep(0.1)
            client = boto3.client(
                "s3", endpoint_url=url, config=ClientConfig(request_checksum_calculation="when_required")
            )
            client.create_bucket(Bucket="bills")
            yield client
        finally:
            server.terminate()


def parquet(path: Path, rows: int, day: int) -> None:
    """Write rows that compress as badly as those of a real bill."""
    duckdb.execute(
        f"""COPY (
          SELECT (random() * 10)::DECIMAL(20, 12) AS BilledCost, '123456789012' AS BillingAccountId,
            'USD' AS BillingCurrency, TIMESTAMP '2026-11-01' AS BillingPeriodStart, 'Usage' AS ChargeCategory,
            TIMESTAMP '2026-11-{day:02} 00:00:00' + INTERVAL (range % 24) HOUR AS ChargePeriodStart,
            'Compute ' || (range % 40) AS ServiceName, 'AWS' AS ProviderName, 'SKU' || (range % 500) AS SkuId,
            'arn:' || md5(random()::VARCHAR) AS ResourceId
          FROM range({rows})) TO '{path}' (FORMAT parquet)"""
    )


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def refreshed(folder: Path, pattern: str, endpoint: str) -> tuple[float, float, int, int]:
    """Return the seconds of a first and of a second refresh, and the requests of each."""
    folder.mkdir()
    (folder / "spool").mkdir()
    text = f"ledger: {folder}/l.duckdb\nfocus: {{files: ['{pattern}']}}\n"
    text += f"object_storage: {{s3: {{endpoint_url: {endpoint}}}}}"
    (source,) = configured_sources(parse(text, folder), {})
    ledger = Ledger(folder / "l.duckdb")
    intake = Intake(ledger, folder / "spool", timedelta(days=400), lambda: NOW)
    requests_made = []

    def refresh() -> None:
        tally = RefreshTally()
        context = intake.context(source, tally, lambda: False)
        with intake.receiving(source, context) as receiver:
            for change in source.refresh(context):
                receiver.take(change)
        requests_made.append(tally.requests)

    seconds = timed(refresh), timed(refresh)
    ledger.close()
    return *seconds, requests_made[0], requests_made[1]


def main() -> None:
    megabytes, objects = (int(text) for text in (*sys.argv[1:], "200", "5000")[:2])
    with tempfile.TemporaryDirectory() as name, bucket() as client:
        folder, url = Path(name), client.meta.endpoint_url
        (folder / "files").mkdir()
        rows = megabytes * 2**20 // FILES // 46
        for number in range(1, FILES + 1):
            path = folder / "files" / f"{number}.parquet"
            parquet(path, rows, number)
            client.upload_file(str(path), "bills", f"large/{path.name}")
        size = sum(path.stat().st_size for path in (folder / "files").iterdir())

        def download() -> None:
            for number in range(1, FILES + 1):
                client.download_file("bills", f"large/{number}.parquet", str(folder / f"{number}.copy"))

        plain = timed(download)
        on_disk, *_ = refreshed(folder / "disk", f"{folder}/files/*.parquet", url)
        first, second, *_ = refreshed(folder / "bucket", "s3://bills/large/*.parquet", url)
        print(f"{size / 1e6:,.0f} MB in {FILES} files: download {plain:.1f} s, on disk {on_disk:.1f} s")
        print(
            f"from the bucket {first:.1f} s: {first / (plain + on_disk):.2f} times both; again {second:.2f} s"
        )
        if not objects:
            return
        for number in range(objects):
            # Each is of a resource, hour and cost of its own.
            body = (
                "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,ChargeCategory,"
                "ChargePeriodStart,ServiceName,ProviderName,ResourceId\n"
                f"{number}.25,{number},USD,2026-11-01T00:00:00Z,Usage,2026-11-02T00:00:00Z,Compute,AWS,r{number}\n"
            )
            client.put_object(Bucket="bills", Key=f"small/{number // 100}/{number}.csv", Body=body.encode())
        first, second, made, again = refreshed(folder / "many", "s3://bills/small/**/*.csv", url)
        print(f"{objects:,} objects: first {first:.0f} s, {made:,} requests; again {second:.1f} s, {again}")


if __name__ == "__main__":
    main()
