"""The same bills by the protocols of Azure and Google, from Azurite and fake-gcs-server on a socket."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from azure.storage.blob import ContainerClient

from exporter.core.errors import SourceError
from tests.fakes.s3_proxy import S3Proxy
from tests.sources.objects.test_layouts_in_buckets import (
    GOOGLE,
    Put,
    net_usd,
    put_azures_run,
    put_googles_pieces,
)
from tests.support.bucket_world import S3World
from tests.support.exposed import until
from tests.support.focus_rows import focus_row, write_focus_csv
from tests.support.npm_packages import installed_packages
from tests.support.ports import free_port

pytestmark = pytest.mark.integration

_AZURITE = Path(__file__).with_name("azurite")
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The key of Azurite's only account, which its makers publish."""


@contextmanager
def served(command: Sequence[str], url: str) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:

        def answers() -> bool:
            assert process.poll() is None, f"{command[0]} has ended"
            try:
                requests.get(url, timeout=5)
            except requests.RequestException:
                return False
            return True

        try:
            until(answers, f"an answer of {command[0]}")
            yield
        finally:
            process.terminate()


@contextmanager
def azurite(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Put]:
    program = str(installed_packages(_AZURITE, "azurite") / "node_modules" / ".bin" / "azurite-blob")
    port = free_port()
    url = f"http://127.0.0.1:{port}/devstoreaccount1"
    text = f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={_KEY};BlobEndpoint={url};"
    patch.setenv("AZURE_STORAGE_CONNECTION_STRING", text)
    options = ("--silent", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence")
    with served([program, *options, "--blobPort", str(port)], url):
        container = ContainerClient.from_connection_string(text, "bills")
        with container:
            container.create_container()
            yield lambda key, content: container.upload_blob(key, content, overwrite=True)


@contextmanager
def fake_gcs(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Put]:
    program = shutil.which("fake-gcs-server")
    if program is None:
        pytest.skip("fake-gcs-server is not installed: `make test-tools` builds it where there is Go")
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
        world = reading(tmp_path)
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


def test_azures_own_layout_counts_each_month_once_in_azures_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with azurite(tmp_path, monkeypatch) as put:
        world = reading(tmp_path)
        for last, run in ((20, "a"), (21, "b")):
            put_azures_run(put, tmp_path, last, run)
            world.reads("az://bills/exports/focus/**/*.csv")
            assert world.refresh() == 10 * last
        assert (world.refresh(), world.seen) == (Decimal(210), [])
        world.ledger.close()


def test_googles_detailed_export_sums_to_its_rows_in_googles_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_gcs(tmp_path, monkeypatch) as put:
        world = reading(tmp_path)
        rows = put_googles_pieces(put, tmp_path)
        expected = net_usd(rows)
        world.reads("gs://bills/billing/**/*.json", section=GOOGLE)
        assert len(rows) == 9
        assert world.refresh() == expected
        assert (world.refresh(), world.seen) == (expected, [])
        world.ledger.close()


def reading(folder: Path) -> S3World:
    """What reads a bucket; nothing answers by the protocol of Amazon."""
    return S3World(folder / "world", S3Proxy(("", 0), url="http://127.0.0.1:9"), None)
