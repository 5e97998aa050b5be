"""Follows docs/getting-started.md to the first figure, against a BigQuery emulator, and writes that page.

`python -m tests.integration.getting_started` writes the page anew.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

import exporter
from tests.fakes.bigquery_rest import Answer, FakeBigQuery
from tests.fakes.web_api import Reply, WebApi
from tests.integration.bqemulator_env import running_emulator
from tests.support import places
from tests.support.export_rows import export_row, export_time
from tests.support.exposed import POLL_SECONDS, until
from tests.support.running import Running, running

PAGE = places.DOCS / "getting-started.md"
DATASET = "northwind-billing.billing"
TABLE = f"{DATASET}.gcp_billing_export_resource_v1_0A1B2C_3D4E5F_6A7B8C"
ROWS = 200
ROW_USD = 1.25

_PROGRAM = """
import sys
from exporter.cli.commands import init_google
from exporter.cli.main import main
init_google.BILLING_URL = sys.argv.pop(1)
sys.exit(main())
"""
"""The program itself, but for Cloud Billing's address: it cannot run here."""


@dataclass(frozen=True)
class Step:
    """A command and what it printed."""

    command: str
    printed: str


@dataclass(frozen=True)
class Company:
    """What stands for Google Cloud."""

    folder: Path
    billing_url: str
    environment: dict[str, str]

    def run(self, command: str, *unshown: str) -> Step:
        """Run a `spend-exporter` command in the folder, with arguments that the page does not show."""
        words = [*shlex.split(command)[1:], *unshown]
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, self.billing_url, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed = (done.stderr + done.stdout).replace(f"{self.folder}/", "")
        return Step(command, re.sub(r"\n{3,}", "\n\n", printed))


def _unasked(_purpose: str, _sql: str) -> Answer:
    raise AssertionError("this server only hands out tokens")


@contextmanager
def company(folder: Path) -> Iterator[Company]:
    """Yield a company with an export in BigQuery and a key of its service account."""
    account = {"name": "billingAccounts/0A1B2C-3D4E5F-6A7B8C", "displayName": "Northwind", "open": True}
    with (
        running_emulator(folder / "emulator.log") as address,
        FakeBigQuery(_unasked, token="a-token") as tokens,
        WebApi(lambda _asked: Reply(body={"billingAccounts": [account]})) as billing,
    ):
        _fill(address)
        work = folder / "work"
        work.mkdir()
        (work / "key.json").write_text(json.dumps(_key(f"{tokens.address}/token")))
        yield Company(
            work,
            billing.address,
            {
                **os.environ,
                "BIGQUERY_EMULATOR_HOST": address,
                "PYTHONPATH": str(Path(exporter.__file__).parents[1]),
            },
        )


def _key(token_uri: str) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "northwind-billing",
        "private_key_id": "0123",
        "private_key": key.decode(),
        "client_email": "spend-exporter@northwind-billing.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }


def _fill(address: str) -> None:
    """Make the export table, with rows of the last days that are equally dear."""
    client = bigquery.Client(
        project="northwind-billing",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": address},
    )
    dataset = bigquery.Dataset(DATASET)
    dataset.location = "EU"
    client.create_dataset(dataset)
    schema = client.schema_from_json(str(places.DATA / "gcp_billing_export_resource_v1.schema.json"))
    # The emulator has no pseudo-columns: this one stands for _PARTITIONTIME.
    table = bigquery.Table(TABLE, schema=[bigquery.SchemaField("ingested_at", "TIMESTAMP"), *schema])
    table.time_partitioning = bigquery.TimePartitioning()
    client.create_table(table)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows = []
    for hours in range(6, 6 + ROWS):
        begin = now - timedelta(hours=hours)
        exported = export_time(begin + timedelta(hours=5))
        times = {
            "usage_start_time": export_time(begin),
            "usage_end_time": export_time(begin + timedelta(hours=1)),
            "export_time": exported,
            "ingested_at": f"{exported[:10]} 00:00:00 UTC",
        }
        whose = {
            "billing_account_id": "0A1B2C-3D4E5F-6A7B8C",
            "project": {"id": "shop-prod", "number": "1", "name": "Shop", "labels": [], "ancestors": []},
        }
        rows.append(export_row(cost=ROW_USD, invoice={"month": f"{begin:%Y%m}"}, **whose, **times))
    assert client.insert_rows_json(TABLE, rows) == []
    client.close()


def followed(folder: Path) -> list[Step]:
    """Run every command of the page in order, and return them with what they printed."""
    with company(folder) as made:
        steps = [
            made.run(
                "spend-exporter init --yes --no-live-usage --no-check --credentials key.json "
                "--project northwind-billing"
            ),
            Step("cat spend.yml", (made.folder / "spend.yml").read_text()),
            made.run("spend-exporter check --config spend.yml"),
        ]
        with running(
            made.folder,
            *("serve", "--config", "spend.yml", "--listen", "127.0.0.1:0"),
            env=made.environment,
        ) as serving:
            until(lambda: _billed(serving), "the first figure", pause_seconds=POLL_SECONDS)
            lines = _billed(serving)
            started = "".join(
                line.replace(serving.address(), "http://127.0.0.1:9877")
                for line in serving.log().splitlines(keepends=True)
                if line.startswith(("metrics", "status"))
            )
            steps.append(Step("spend-exporter serve --config spend.yml", started))
            steps.append(
                Step(
                    "curl -s http://127.0.0.1:9877/metrics | grep '^spend_billed_usd_total'",
                    "\n".join(lines) + "\n",
                )
            )
            steps.append(
                made.run("spend-exporter history --config spend.yml --by service", "--url", serving.address())
            )
    return steps


def _billed(serving: Running) -> list[str]:
    lines = serving.get("/metrics")[1].splitlines()
    return [line for line in lines if line.startswith("spend_billed_usd_total{")]


def page(steps: list[Step]) -> str:
    """Return the page, with what the commands printed."""
    shown = iter(steps)

    def block() -> str:
        step = next(shown)
        lines = [f"$ {step.command}", *step.printed.rstrip().splitlines()]
        return "\n".join(f"    {line}".rstrip() for line in lines)

    return f"""# From nothing to your first figure

You need Python 3.11 or later, a billing export in BigQuery (see [Turn the export
on](google-cloud.md#1-turn-the-export-on)) and a service account that may read it ([Give the exporter an
identity](google-cloud.md#2-give-the-exporter-an-identity)). It takes some ten minutes. What you see below
was printed by the commands themselves, against an emulator of BigQuery.

Install the program, from a checkout:

    pipx install .

**Find the export, and write a configuration.** At a terminal `spend-exporter init` is enough: it asks. Here
every answer is a flag.

{block()}

It has a comment for each key that one may want to change:

{block()}

**Check it.** Nothing is changed, and the queries are dry runs, which are free. What is wrong is marked
TROUBLE, with the command or role that mends it. (The emulator counts no bytes, hence the one warning; and
what reading costs is with so small a table the least that BigQuery bills.)

{block()}

**Start it.** The bill is shown when it has been read once, which takes seconds to minutes.

{block()}

**Your first figure**, from another terminal: all that was billed, by project, service and SKU.

{block()}

The page at <http://127.0.0.1:9877/> shows the same and more; so do

{block()}

and `spend-exporter top`. Next: let your Prometheus scrape it, and import the boards
([README](../README.md#point-it-at-your-own-bill)). """


def without_figures(text: str) -> str:
    """The page without what differs from day to day: days, digits, and what aligns them."""
    text = re.sub(r"^    \d{4}-\d\d-\d\d [A-Z].*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"[0-9]+|[ ]{2,}|[|#=-]{3,}", "~", text)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        PAGE.write_text(page(followed(Path(scratch))), encoding="utf-8")
