"""Bills in a bucket of a real S3 server on a socket: only what changed is downloaded, once and whole."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from exporter.core.errors import SourceError
from exporter.core.object_addresses import Bucket
from exporter.sources.base import RefreshContext, RefreshTally
from exporter.sources.files.fingerprint import Fingerprint, new_cursor
from exporter.sources.files.places import FileStatus
from exporter.sources.focus.source import FocusSource
from exporter.sources.objects.copies import Copies, version_time_ns
from exporter.sources.objects.store import ObjectStatus
from tests.fakes.s3_proxy import Refusal, S3Proxy, Truncated
from tests.support.bucket_world import BUCKET, NOW, S3World, emptied, s3_server
from tests.support.focus_rows import focus_row, write_focus_csv

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[S3Proxy, Any]]:
    with pytest.MonkeyPatch.context() as patch, s3_server(patch.setenv) as found:
        yield found


@pytest.fixture
def world(server: tuple[S3Proxy, Any], tmp_path: Path) -> Iterator[S3World]:
    proxy, client = server
    proxy.calm()
    emptied(client)
    made = S3World(tmp_path / "world", proxy, client)
    yield made
    made.ledger.close()


def day(folder: Path, number: int, cost: str = "10", account: str = "123456789012") -> Path:
    """Write the FOCUS rows of one day of November."""
    row = focus_row(
        ChargePeriodStart=f"2026-11-{number:02}T00:00:00Z",
        ChargePeriodEnd=f"2026-11-{number:02}T23:59:59Z",
        BilledCost=cost,
        BillingAccountId=account,
    )
    return write_focus_csv(folder / f"{number:02}-{cost}-{account}.csv", [row])


def test_a_month_in_a_bucket_is_read_once_and_again_only_where_it_changed(
    world: S3World, tmp_path: Path
) -> None:
    for number in range(1, 11):
        world.put(f"exports/2026/{number:02}.csv", day(tmp_path, number))
    world.put("exports/readme.txt", b"no export")
    world.put("elsewhere/01.csv", day(tmp_path, 1))
    world.reads("s3://bills/exports/**/*.csv")

    assert world.refresh() == 100
    assert world.partitions[0] == "s3://bills/exports/2026/01.csv"
    assert world.proxy.counts == {"list": 1, "get": 10, "head": 10}

    assert (world.refresh(), world.seen, world.proxy.counts) == (Decimal(100), [], {"list": 1})

    world.put("exports/2026/03.csv", day(tmp_path, 3, "12.5"))
    assert world.refresh() == Decimal("102.5")
    assert world.partitions == ["s3://bills/exports/2026/03.csv"]
    assert world.proxy.counts == {"list": 1, "get": 1, "head": 1}

    world.delete("exports/2026/04.csv")
    assert world.refresh() == Decimal("92.5")
    assert world.proxy.counts == {"list": 1}


def test_small_objects_are_downloaded_at_the_same_time(world: S3World, tmp_path: Path) -> None:
    for number in range(1, 17):
        world.put(f"exports/{number:02}.csv", day(tmp_path, number))
    world.reads("s3://bills/exports/*.csv")
    inside, most = threading.Semaphore(0), threading.Barrier(4, timeout=20)

    def meet(kind: str, _key: str) -> None:
        if kind == "get" and not inside.acquire(blocking=False):
            # The first four downloads all wait for each other here.
            most.wait()
            inside.release(16)

    world.proxy.after = meet
    assert world.refresh() == 160
    assert world.proxy.counts == {"list": 1, "get": 16, "head": 16}


def test_one_of_many_small_objects_that_may_not_be_read_does_not_keep_the_others_away(
    world: S3World, tmp_path: Path
) -> None:
    for number in range(1, 9):
        world.put(f"exports/{number}.csv", day(tmp_path, number))
    world.reads("s3://bills/exports/*.csv")
    world.proxy.trouble = lambda kind, key: (
        Refusal(403, "AccessDenied") if kind == "get" and key.endswith("/5.csv") else None
    )
    assert world.refresh() == 70
    (text,) = world.said
    assert "grant s3:GetObject on arn:aws:s3:::bills/exports/5.csv" in text
    assert world.proxy.counts["get"] == 9


def failure(world: S3World) -> SourceError:
    with pytest.raises(SourceError) as caught:
        world.refresh()
    return caught.value


@pytest.mark.parametrize(
    ("kind", "refusal", "reason", "said"),
    [
        ("list", Refusal(503, "SlowDown"), "quota", "asks for fewer requests"),
        ("list", Refusal(429, "TooManyRequests"), "quota", "rate limiting: the store asks for fewer"),
        ("list", Refusal(429, ""), "quota", "(429): rate limiting"),
        ("get", Refusal(429, "TooManyRequests"), "quota", "raise update_interval_minutes"),
        ("list", Refusal(403, "AccessDenied"), "permission_denied", "s3:ListBucket on arn:aws:s3:::bills"),
        ("list", Refusal(400, "ExpiredToken"), "bad_credentials", "have expired; renew them"),
        ("list", Refusal(301, "PermanentRedirect"), "not_found", "object_storage.s3.region"),
        ("list", Refusal(404, "NoSuchBucket"), "not_found", "there is no such bucket"),
        ("list", Refusal(500, "InternalError"), "unavailable", "check the network"),
        ("get", Refusal(400, "ExpiredToken"), "bad_credentials", "have expired; renew them"),
    ],
)
def test_a_store_that_refuses_leaves_the_last_good_figures_and_says_what_to_do(
    world: S3World, tmp_path: Path, kind: str, refusal: Refusal, reason: str, said: str
) -> None:
    world.put("exports/01.csv", day(tmp_path, 1))
    world.reads("s3://bills/exports/*.csv")
    assert world.refresh() == 10
    world.put("exports/02.csv", day(tmp_path, 2))

    world.proxy.trouble = lambda each, _key: refusal if each == kind else None
    error = failure(world)
    assert (error.reason, said in str(error)) == (reason, True), str(error)
    assert (world.net(), world.seen) == (10, [])
    assert "not-a-secret" not in str(error)

    world.proxy.calm()
    assert world.refresh() == 20


def test_a_store_that_is_throttled_for_a_moment_is_asked_again(world: S3World, tmp_path: Path) -> None:
    world.put("exports/01.csv", day(tmp_path, 1))
    world.reads("s3://bills/exports/*.csv")
    world.proxy.trouble = lambda kind, _key: (
        Refusal(503, "SlowDown") if world.proxy.counts[kind] < 2 else None
    )
    assert world.refresh() == 10


@pytest.mark.parametrize("kind", ["list", "get", "head"])
@pytest.mark.parametrize(
    ("headers", "slept"),
    [((), [1.0, 2.0]), ((("Retry-After", "3"),), [3.0])],
    ids=["without Retry-After", "with Retry-After"],
)
def test_too_many_requests_are_repeated_after_the_pause_that_the_store_asks_for(
    world: S3World,
    tmp_path: Path,
    kind: str,
    headers: tuple[tuple[str, str], ...],
    slept: list[float],
) -> None:
    world.put("exports/01.csv", day(tmp_path, 1))
    world.reads("s3://bills/exports/*.csv")
    refusal = Refusal(429, "TooManyRequests", headers)
    # The client itself asks once per call, and gives up.
    world.proxy.trouble = lambda each, _key: (
        refusal if each == kind and world.proxy.counts[kind] <= len(slept) else None
    )
    assert world.refresh() == 10
    assert (world.slept, world.proxy.counts[kind]) == (slept, len(slept) + 1)


def test_a_store_that_asks_for_a_longer_pause_than_there_is_time_is_not_asked_again(
    world: S3World, tmp_path: Path
) -> None:
    world.put("exports/01.csv", day(tmp_path, 1))
    world.reads("s3://bills/exports/*.csv")
    world.proxy.trouble = lambda _kind, _key: Refusal(429, "", (("Retry-After", "3600"),))
    assert "rate limiting" in str(failure(world))
    assert (world.slept, world.proxy.counts) == ([], {"list": 1})


def test_an_object_that_may_not_be_read_is_named_with_the_permission_that_it_needs(
    world: S3World, tmp_path: Path
) -> None:
    for number in (1, 2):
        world.put(f"exports/{number}.csv", day(tmp_path, number))
    world.reads("s3://bills/exports/*.csv")
    world.proxy.trouble = lambda kind, key: (
        Refusal(403, "AccessDenied") if kind == "get" and key.endswith("/2.csv") else None
    )
    assert world.refresh() == 10
    (text,) = world.said
    assert text.startswith("unreadable_file s3://bills/exports/2.csv")
    assert "grant s3:GetObject on arn:aws:s3:::bills/exports/2.csv" in text


def test_an_object_that_is_replaced_while_it_is_read_is_read_again(world: S3World, tmp_path: Path) -> None:
    world.put("exports/01.csv", day(tmp_path, 1))
    world.reads("s3://bills/exports/*.csv")
    later = day(tmp_path, 1, "12.5")

    def replace(kind: str, _key: str) -> None:
        if kind == "get" and world.proxy.counts["get"] == 1:
            world.put("exports/01.csv", later)

    world.proxy.after = replace
    assert world.refresh() == Decimal("12.5")
    assert (world.proxy.counts["get"], world.said) == (2, [])
    world.proxy.calm()
    assert (world.refresh(), world.seen, world.proxy.counts) == (Decimal("12.5"), [], {"list": 1})


def test_an_object_that_is_replaced_all_the_time_keeps_its_last_good_charges(
    world: S3World, tmp_path: Path
) -> None:
    world.put("exports/01.csv", day(tmp_path, 1))
    world.put("exports/02.csv", day(tmp_path, 2))
    world.reads("s3://bills/exports/*.csv")
    assert world.refresh() == 20

    world.put("exports/01.csv", day(tmp_path, 1, "1000"))
    versions = iter(range(1001, 1100))
    world.proxy.after = lambda kind, _key: (
        world.put("exports/01.csv", day(tmp_path, 1, str(next(versions)))) if kind == "get" else None
    )
    assert world.refresh() == 20
    (text,) = world.said
    assert "was replaced 3 times while it was downloaded" in text


@pytest.mark.parametrize(
    ("header", "checksum", "said"),
    [
        ("rewritten", {}, "the download broke off after 200 bytes of"),
        ("rewritten", {"ChecksumAlgorithm": "SHA256"}, "it did not arrive as it was stored"),
        ("kept", {}, "ContentLengthError"),
    ],
)
def test_a_truncated_download_is_an_error_and_never_half_a_bill(
    world: S3World, tmp_path: Path, header: str, checksum: dict[str, str], said: str
) -> None:
    world.put("exports/01.csv", day(tmp_path, 1))
    world.put("exports/02.csv", day(tmp_path, 2))
    world.reads("s3://bills/exports/*.csv")
    assert world.refresh() == 20

    rows = [focus_row(BilledCost="7", ChargePeriodStart=f"2026-11-01T{hour:02}:00:00Z") for hour in range(9)]
    world.put("exports/01.csv", write_focus_csv(tmp_path / "longer.csv", rows), **checksum)
    world.proxy.trouble = lambda kind, _key: Truncated(200, header == "rewritten") if kind == "get" else None
    if header == "rewritten":
        assert world.refresh() == 20
        (text,) = world.said
    else:
        text = str(failure(world))
    assert said in text
    assert world.net() == 20
    assert not list((world.folder / "spend.duckdb.objects").rglob("*.part"))

    world.proxy.calm()
    assert world.refresh() == 73


def test_a_prefix_that_matches_nothing_is_an_error_that_keeps_the_last_good_figures(
    world: S3World, tmp_path: Path
) -> None:
    world.reads("s3://bills/exports/*.csv")
    error = failure(world)
    assert error.reason == "no_files"
    assert "the part of the address before its first wildcard" in str(error)

    world.put("exports/01.csv", day(tmp_path, 1))
    local = day(tmp_path, 2)
    world.reads("s3://bills/exports/*.csv", str(local))
    assert world.refresh() == 20
    world.delete("exports/01.csv")
    error = failure(world)
    assert "no object matches s3://bills/exports/*.csv any more" in str(error)
    assert world.net() == 20


def test_without_credentials_the_error_says_where_they_can_come_from(
    world: S3World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    world.reads("s3://bills/exports/*.csv")
    error = failure(world)
    assert error.reason == "no_credentials"
    assert "AWS_PROFILE" in str(error)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert failure(world).reason == "no_credentials"


def copies(world: S3World) -> list[Path]:
    return [path for path in (world.folder / "spend.duckdb.objects").rglob("*") if path.is_file()]


def test_copies_stay_within_their_size_and_are_not_needed_for_unchanged_objects(
    world: S3World, tmp_path: Path
) -> None:
    for number in range(1, 7):
        world.put(f"exports/{number}.csv", day(tmp_path, number))
    size = day(tmp_path, 1).stat().st_size
    world.settings = f", cache: {{max_size: {3 * size}}}"
    world.reads("s3://bills/exports/*.csv")
    assert world.refresh() == 60
    assert 1 <= len(copies(world)) <= 3
    assert sum(path.stat().st_size for path in copies(world)) <= 3 * size

    world.settings = ", cache: {max_size: 0}"
    world.reads("s3://bills/exports/*.csv")
    assert (world.refresh(), world.seen, world.proxy.counts) == (Decimal(60), [], {"list": 1})
    assert copies(world) == []


def test_copies_that_nothing_used_for_long_are_deleted(world: S3World, tmp_path: Path) -> None:
    world.put("exports/1.csv", day(tmp_path, 1))
    world.put("exports/2.csv", day(tmp_path, 2))
    world.reads("s3://bills/exports/*.csv")
    assert world.refresh() == 20
    first, second = sorted(copies(world))
    status = first.stat()
    os.utime(first, ns=(status.st_atime_ns - 36 * 86_400 * 10**9, status.st_mtime_ns))
    world.refresh()
    assert copies(world) == [second]


def test_a_copied_export_in_a_bucket_counts_once_and_is_compared_once(world: S3World, tmp_path: Path) -> None:
    world.settings = ", cache: {max_size: 0}"
    for number in (1, 2):
        world.put(f"exports/{number}.csv", day(tmp_path, number))
    world.put("exports/copy/1.csv", day(tmp_path, 1))
    world.reads("s3://bills/exports/**/*.csv")
    assert world.refresh() == 20
    assert [text.split(":")[0] for text in world.said] == ["repeated_file s3"]
    world.proxy.counts.clear()
    assert (world.refresh(), world.proxy.counts) == (Decimal(20), {"list": 1})


def test_keys_that_are_no_names_of_files_stay_in_the_folder_of_copies(world: S3World, tmp_path: Path) -> None:
    keys = ["exports//1.csv", "exports/../../2.csv", "exports/%2e/3.csv", "exports/tag=a b/4'ü.csv"]
    for number, key in enumerate(keys, 1):
        world.put(key, day(tmp_path, number))
    folder = world.folder / "spend.duckdb.objects" / "focus"
    bucket = Bucket("s3", "bills")
    found = Copies(folder, 0, timedelta(days=1))
    paths = [found.path_of(bucket, key) for key in keys]
    assert all(path.is_relative_to(folder) and ".." not in path.parts for path in paths)
    assert len(set(paths)) == len(keys)
    assert [found.place_of(found.shown(str(path))) for path in paths] == [str(path) for path in paths]
    world.reads("s3://bills/exports/**/*.csv")
    assert world.refresh() == 20
    assert world.partitions == ["s3://bills/exports/%%2e/3.csv", "s3://bills/exports/tag=a b/4'ü.csv"]


def test_five_thousand_unchanged_objects_cost_five_lists(world: S3World) -> None:
    from moto.s3.models import s3_backends

    backend = s3_backends["123456789012"]["aws"]
    for number in range(5000):
        backend.put_object(BUCKET, f"exports/{number // 100:02}/{number:05}.csv", b"x" * 20)
    world.reads("s3://bills/exports/**/*.csv")
    source = world.source
    assert isinstance(source, FocusSource)
    how = f"{source._version()}/{duckdb.__version__}"
    cursors = {}
    for key, stored in backend.buckets[BUCKET].keys.items():
        modified = datetime.fromisoformat(stored.last_modified_ISO8601.replace("Z", "+00:00"))
        status = ObjectStatus(key, 20, modified, stored.etag.strip('"'))
        state = f"{how}:{FileStatus(20, version_time_ns(status), 0)}"
        cursors[f"s3://bills/{key}"] = str(new_cursor(state, Fingerprint({}), counted=True))
    context = RefreshContext(cursors, NOW, NOW, NOW, world.folder / "spool", RefreshTally())
    assert list(source.refresh(context)) == []
    assert (len(cursors), world.proxy.counts, context.tally.requests) == (5000, {"list": 5}, 5)


def test_check_says_what_watching_the_bucket_costs_and_downloads_only_the_newest(
    world: S3World, tmp_path: Path
) -> None:
    for number in range(1, 24):
        world.put(f"exports/{number:02}.csv", day(tmp_path, 1, account=f"{number:012}"))
    world.reads("s3://bills/exports/*.csv", "s3://bills/others/*.csv")
    world.now = datetime.now(UTC)
    world.proxy.counts.clear()
    said = world.findings()
    assert world.proxy.counts["get"] == 20
    assert any("s3://bills/exports/*.csv: 23 files" in text for text in said)
    assert any("s3://bills/others/*.csv: no file matches" in text for text in said)
    assert any("3 older objects were not downloaded" in text for text in said)
    (cost,) = (text for text in said if "cost of reading" in text)
    assert "listing takes 2 calls, every 15 minutes: 5,844 a month; the last day changed 23 objects" in cost
    assert "about $0.03 a month for requests" in cost
    assert str(world.folder) not in "\n".join(said)


def test_without_the_stores_client_the_error_has_the_command_that_installs_it(
    world: S3World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, address, extra in (
        ("s3fs", "s3://bills/*.csv", "s3"),
        ("gcsfs", "gs://bills/*.csv", "gcs"),
        ("adlfs", "az://bills@account/*.csv", "azure"),
    ):
        # Each loaded part too: an import of a part that is loaded no longer asks for the whole.
        for name in (module, *(name for name in sys.modules if name.startswith(f"{module}."))):
            monkeypatch.setitem(sys.modules, name, None)
        world.reads(address)
        error = failure(world)
        assert error.reason == "not_installed"
        assert f"pip install 'spend-exporter[{extra}]'" in str(error)
