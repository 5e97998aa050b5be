"""Bills in a bucket, read from a real S3 server on a socket: only what changed is downloaded, once and whole."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.s3_proxy import S3Proxy
from tests.support.bucket_world import S3World, emptied, s3_server
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
