"""The same bills by the protocols of Azure and Google: Azurite and fake-gcs-server, where installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from exporter.core.errors import SourceError
from tests.fakes.s3_proxy import S3Proxy
from tests.support.bucket_world import S3World
from tests.support.focus_rows import focus_row, write_focus_csv

pytestmark = pytest.mark.integration

_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The key of Azurite's only account, which its makers publish."""

Put = Callable[[str, bytes], None]
"""Writes an object of the bucket `bills`."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def served(command: Sequence[str], url: str) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    requests.get(url, timeout=5)
                    break
                except requests.ConnectionError:
                    assert time.monotonic() < deadline, f"{command[0]} does not answer"
                    assert process.poll() is None, f"{command[0]} has ended"
            yield
        finally:
            process.terminate()


@contextmanager
def azurite(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Put]:
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite-blob is not installed: npm install --global azurite")
    blob_service = pytest.importorskip("azure.storage.blob")
    port = free_port()
    url = f"http://127.0.0.1:{port}/devstoreaccount1"
    text = f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={_KEY};BlobEndpoint={url};"
    patch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    options = ("--silent", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence")
    with served([program, *options, "--blobPort", str(port)], url):
        container = blob_service.ContainerClient.from_connection_string(text, "bills")
        with container:
            container.create_container()
            yield lambda key, content: container.upload_blob(key, content, overwrite=True)


@contextmanager
def fake_gcs(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Put]:
    program = shutil.which("fake-gcs-server")
    if program is None:
        pytest.skip("fake-gcs-server is not installed: go install github.com/fsouza/fake-gcs-server@latest")
    pytest.importorskip("gcsfs")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    patch.setenv("STORAGE_EMULATOR_HOST", url)
    options = ("-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory")
    with served([program, *options, "-public-host", f"127.0.0.1:{port}"], url):
        requests.post(f"{url}/storage/v1/b", json={"name": "bills"}, timeout=5).raise_for_status()

        def put(key: str, content: bytes) -> None:
            parameters = {"uploadType": "media", "name": key}
            address = f"{url}/upload/storage/v1/b/bills/o"
            requests.post(address, params=parameters, data=content, timeout=5).raise_for_status()

        yield put


@pytest.mark.parametrize(
    ("server", "bucket", "missing", "said"),
    [
        (azurite, "az://bills", "az://nothing", "no file matches"),
        (fake_gcs, "gs://bills", "gs://nothing", "there is no such bucket"),
    ],
    ids=["azure", "gcs"],
)
def test_bills_in_a_bucket_are_read_once_and_again_only_where_they_changed(
    server: Callable[[Path, pytest.MonkeyPatch], Iterator[Put]],
    bucket: str,
    missing: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def day(number: int, cost: str = "10") -> bytes:
        row = focus_row(BilledCost=cost, ChargePeriodStart=f"2026-11-{number:02}T00:00:00Z")
        return write_focus_csv(tmp_path / "day.csv", [row]).read_bytes()

    with server(tmp_path, monkeypatch) as put:  # type: ignore[attr-defined]
        world = S3World(tmp_path / "world", S3Proxy(("", 0), url="http://127.0.0.1:9"), None)
        for number in range(1, 4):
            put(f"exports/2026/{number}.csv", day(number))
        put("exports-of-others/9.csv", day(9))
        world.reads(f"{bucket}/exports/**/*.csv")
        assert world.refresh() == 30
        assert world.partitions == [f"{bucket}/exports/2026/{number}.csv" for number in range(1, 4)]

        assert (world.refresh(), world.seen, world.tally.requests) == (Decimal(30), [], 1)

        put("exports/2026/2.csv", day(2, "12.5"))
        assert world.refresh() == Decimal("32.5")
        assert world.partitions == [f"{bucket}/exports/2026/2.csv"]

        world.reads(f"{missing}/exports/*.csv")
        with pytest.raises(SourceError, match=said):
            world.refresh()
        assert world.net() == Decimal("32.5")
        world.ledger.close()
