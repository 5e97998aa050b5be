"""A real Prometheus that has lost everything is noticed, and filled again with the ledger's sums."""

from __future__ import annotations

import random
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.cli.main import main
from tests.integration.test_prometheus_remote_write import (
    DAYS,
    NOW,
    Bill,
    assert_sums_are_those_of,
    configured,
    prometheus,
    wait_until_sent,
)
from tests.support.running import serving

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
]


def test_a_store_that_lost_what_it_acknowledged_is_noticed_and_filled_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bill = Bill(tmp_path / "export", random.Random(7), projects=2)
    for day in range(1, DAYS):
        bill.write(day)
    with prometheus(tmp_path) as receiver:
        config = configured(tmp_path, tmp_path / "export", receiver, query_url=receiver.url)
        with serving(config) as process:
            wait_until_sent(process, "the past")
            # Restated hours have more than one sample.
            bill.write(4)
            wait_until_sent(process, "a restatement")
            assert process.values("spend_remote_write_difference_usd") == {(): 0.0}
            assert process.end() == 0
        compare = ["backfill", "--config", str(config), "--compare"]
        assert main(compare) == 0
        assert "7 whole days: 0 sums differ, by $0.00" in capsys.readouterr().out

        receiver.end()
        shutil.rmtree(tmp_path / "tsdb")
        receiver.start()
        assert main(compare) == 1
        printed = capsys.readouterr().out.splitlines()
        assert len(printed) > 7
        assert all("0.00 stored" in line for line in printed[:-1])

        since = NOW - timedelta(days=DAYS + 2)
        resend = ["backfill", "--config", str(config), "--resend-since", f"{since:%Y-%m-%d}"]
        assert main(resend) == 0
        assert "the exporter sends them when it runs again" in capsys.readouterr().out
        with serving(config) as process:
            wait_until_sent(process, "what was lost")
            assert process.values("spend_remote_write_refused_samples") == {(): 0.0}
            assert process.end() == 0
        assert_sums_are_those_of(tmp_path / "spend.duckdb", receiver)
        assert main(compare) == 0
