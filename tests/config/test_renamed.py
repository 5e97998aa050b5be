"""Keys of earlier versions: still read, and reported with the name they have now."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config.model import Config, parse
from exporter.config.problems import ConfigError, every_key
from exporter.config.renamed import RENAMED

BASE = Path("/etc")
BILL = "gcp:\n  billing_export: {files: [a.csv]}\n"


def test_an_old_key_is_read_and_named_with_its_present_name() -> None:
    config = parse(f"{BILL}  cloud_run: {{by_revision: false}}\n", BASE)
    assert config.google is not None
    assert not config.google.live_usage.by_revision
    assert [str(each) for each in config.renamed_keys] == [
        "gcp.cloud_run is now called gcp.live_usage; rename it"
    ]


def test_an_old_key_within_alerts_is_read_as_well() -> None:
    config = parse(f"{BILL}alerts: {{watching_usd_per_month: 5}}\n", BASE)
    assert config.alerts.exporter_cost_usd_per_month == 5
    assert len(config.renamed_keys) == 1


def test_present_keys_are_not_reported() -> None:
    assert parse(f"{BILL}  live_usage: {{by_revision: false}}\n", BASE).renamed_keys == ()


def test_both_names_at_once_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"gcp\.cloud_run \(line 3\): is the old name of gcp\.live_usage"):
        parse(f"{BILL}  cloud_run: {{}}\n  live_usage: {{}}\n", BASE)


def test_a_problem_below_an_old_key_is_named_by_its_line() -> None:
    with pytest.raises(ConfigError, match=r"gcp\.live_usage\.by_revision \(line 4\): expected true or false"):
        parse(f"{BILL}  cloud_run:\n    by_revision: maybe\n", BASE)


def test_every_present_name_is_a_key_of_the_configuration_and_no_old_one_is() -> None:
    known = {path for path, _ in every_key(Config)}
    assert RENAMED
    for old, name in RENAMED.items():
        assert (*old[:-1], name) in known
        assert old not in known
