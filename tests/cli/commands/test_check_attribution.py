"""What `check` says of the rules, labels and units, on a ledger that it leaves as it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from exporter.cli.commands.check_attribution import attribution_findings, unit_findings
from exporter.config.attribution import ChargeMatch
from exporter.core.charges import tags_text
from exporter.ledger.charges.store import Ledger
from exporter.ledger.schema import MIGRATIONS, migrate
from exporter.sources.base import Finding
from exporter.sources.prometheus_units import UnitCounts, UnitQuery
from exporter.wiring.attribution import ConfiguredAttribution, configured_attribution
from tests.sources.test_prometheus_units import saying, server, vector
from tests.support.charge_rows import charge, put

NOW = datetime(2026, 11, 10, 20, tzinfo=UTC)
ZONES = {"gcp": "America/Los_Angeles"}


def rule(**kinds: object) -> ChargeMatch:
    return ChargeMatch.model_validate(kinds)


CONFIGURED = configured_attribution(
    None,
    {
        "ml": (rule(labels={"team": "research"}),),
        "compute": (rule(words=["compute"]), rule(services=["Compute Engine"])),
        "never": (rule(projects=["no-such"]),),
    },
    ["branch"],
)


def ledger_file(folder: Path) -> Path:
    path = folder / "spend.duckdb"
    ledger = Ledger(path)
    put(
        ledger,
        folder,
        "a",
        charge("10.5", tags=tags_text({"label:team": "research"})),
        charge("1000"),
        charge("-0.25", charge_category="credit", service_name="x", service_id="y"),
        charge("77", charge_period_start=NOW - timedelta(days=40)),
    )
    ledger.close()
    return path


def found(path: Path, configured: ConfiguredAttribution = CONFIGURED) -> list[Finding]:
    return list(attribution_findings(configured, path, ["files"], ZONES, NOW))


@pytest.mark.slow
def test_the_rules_are_tried_on_the_recent_bill_and_what_has_no_effect_is_reported(tmp_path: Path) -> None:
    path = ledger_file(tmp_path)
    before = path.read_bytes()
    findings = found(path)
    assert [(each.what, each.detail) for each in findings] == [
        (
            "categories",
            "net cost of the last 31 days: ml $10.50, compute $1,000.00, never $0.00, unattributed -$0.25",
        ),
        ("rule without effect", "cost_attribution.never matches no charge of the last 31 days"),
        (
            "rule without effect",
            "everything that cost_attribution.compute[1] matches goes to rules above it: move it up, or "
            "remove it",
        ),
        (
            "rules in conflict",
            "cost_attribution.ml and cost_attribution.compute[0] both match $10.50; the first one wins",
        ),
        (
            "rules in conflict",
            "cost_attribution.ml and cost_attribution.compute[1] both match $10.50; the first one wins",
        ),
        (
            "labels",
            "no charge of the last 31 days has label:branch: check the spelling; keys that are new in the "
            "configuration are read from the next start on",
        ),
    ]
    assert [each.warning for each in findings] == [False] + [True] * 5
    assert all(each.ok for each in findings)
    assert path.read_bytes() == before


def test_of_many_conflicts_the_largest_are_reported(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(8)]
    everything = configured_attribution(None, {name: (rule(projects=["*"]),) for name in names})
    conflicts = [each.detail for each in found(ledger_file(tmp_path), everything) if "conflict" in each.what]
    assert len(conflicts) == 6
    assert conflicts[-1] == "and 2 smaller ones"


@pytest.mark.slow
def test_where_there_is_nothing_to_try_rules_on_that_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "spend.duckdb"
    [absent] = found(path)
    Ledger(path).close()
    [empty] = found(path)
    held = Ledger(path)
    [same_process] = found(path)
    held.close()
    path.unlink()
    connection = duckdb.connect(str(path))
    migrate(connection, MIGRATIONS[:1])
    connection.close()
    [old] = found(path)
    for finding, text in (
        (absent, "does not exist yet"),
        (empty, "has no charges of the last 31 days"),
        (old, "has an older schema"),
    ):
        assert finding.ok
        assert text in finding.detail
    assert same_process.detail.startswith("not tried: ")


def test_nothing_configured_says_nothing(tmp_path: Path) -> None:
    assert found(tmp_path / "spend.duckdb", configured_attribution(None, None)) == []


def test_each_unit_is_queried_and_its_number_reported() -> None:
    with server(saying(vector("0"))) as good, server(saying("<html>")) as bad:
        units = UnitCounts([UnitQuery("order", "x", good), UnitQuery("tenant", "x", bad)])
        none, broken = unit_findings(units, NOW)
    assert (none.ok, none.warning, none.what, none.detail) == (True, True, "unit order", "0 yesterday")
    assert (broken.ok, broken.what) == (False, "unit tenant")
    assert "did not answer like Prometheus" in broken.detail
