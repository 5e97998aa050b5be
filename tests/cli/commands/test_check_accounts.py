"""`check` on several accounts of one kind: keys of one organization, and names that were changed."""

from __future__ import annotations

import io
import json
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.main import main
from exporter.ledger.charges.store import Ledger
from exporter.sources.spool import write_spool_csv
from tests.fakes.llm_admin import FakeAdminApi
from tests.support.charge_rows import charge


def checked(folder: Path, document: dict[str, Any]) -> tuple[int, dict[tuple[str, str], list[str]]]:
    """Exit code, and details with their level, by part and what they are about."""
    path = folder / "config.yml"
    path.write_text(json.dumps({"ledger": str(folder / "spend.duckdb"), **document}), encoding="utf-8")
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        code = main(["check", "--config", str(path), "--format", "json"])
    found: dict[tuple[str, str], list[str]] = {}
    for each in json.loads(out.getvalue())["findings"]:
        found.setdefault((each["part"], each["what"]), []).append(f"{each['level']}: {each['detail']}")
    return code, found


def entry(folder: Path, stack: ExitStack, name: str, organization: str) -> dict[str, str]:
    """An entry of `llm.openai`, with a key and a server of its own."""
    key = f"sk-admin-{name}"
    (folder / f"{name}.key").write_text(key, encoding="utf-8")
    server = stack.enter_context(FakeAdminApi(True, own_key=key, organization=organization).serve())
    return {"name": name, "admin_key_file": f"{name}.key", "base_url": server.address}


def test_two_keys_of_one_organization_are_trouble_and_both_sources_are_named(tmp_path: Path) -> None:
    organizations = {"one": "org-1", "two": "org-2", "again": "org-1"}
    with ExitStack() as stack:
        entries = [entry(tmp_path, stack, name, each) for name, each in organizations.items()]
        code, found = checked(tmp_path, {"llm": {"openai": entries}})

    assert code == 1
    assert found["source openai/two", "organization"] == ["ok: org-2"]
    (text,) = found["accounts", "account"]
    assert text.startswith("trouble: openai/one and openai/again have keys of the same account, org-1")
    (owner,) = found["ownership", "openai"]
    assert "billed by openai/one, openai/two, openai/again" in owner


@pytest.mark.slow
def test_what_the_ledger_has_under_other_names_is_said_to_go_on_under_the_new_ones(tmp_path: Path) -> None:
    tables = [f"pay.billing.gcp_billing_export_v1_{each}_{each}_{each}" for each in ("0A", "0B")]
    ledger = Ledger(tmp_path / "spend.duckdb")
    spool = write_spool_csv(tmp_path / "spool.csv", [charge("1")])
    ledger.put("bigquery", f"{tables[0]}/2026-11-20", "cursor", spool, 1)
    ledger.put("openai", "cost/2026-11-20", "cursor", spool, 1)
    ledger.close()
    (tmp_path / "bad.json").write_text("{}", encoding="utf-8")
    exports = [{"name": name, "table": table} for name, table in zip("ab", tables, strict=True)]
    google = {"credentials_path": "bad.json", "billing_export": {"bigquery": exports}}

    with ExitStack() as stack:
        organizations = [entry(tmp_path, stack, name, f"org-{name}") for name in ("one", "two")]
        _, found = checked(tmp_path, {"gcp": google, "llm": {"openai": organizations}})

    moved, orphan = found["accounts", "renamed"]
    assert (
        moved == "ok: bigquery/a goes on with 1 partitions that the ledger has as bigquery; at the next start"
    )
    assert orphan.startswith("warning: the ledger has 1 partitions of openai, which is not configured")
