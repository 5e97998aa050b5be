"""What credentials can see is found by Google's own client, and what cannot be listed is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from google.auth.credentials import AnonymousCredentials

from exporter.core.backoff import Backoff
from exporter.core.errors import SourceError
from exporter.sources.base import RefreshTally
from exporter.sources.google.bigquery.session import BigQuerySession
from exporter.sources.google.credentials import GoogleIdentity
from exporter.sources.google.discovery import BillingAccount, Discovery, billing_accounts, discover
from tests.fakes.bigquery_rest import Answer, ApiError, FakeBigQuery, Fault
from tests.fakes.web_api import Asked, Reply, WebApi

DETAILED = "pay.billing.gcp_billing_export_resource_v1_0A0A0A_0B0B0B_0C0C0C"
STANDARD = "pay.billing.gcp_billing_export_v1_0A0A0A_0B0B0B_0C0C0C"
OTHER = "shop.exports.gcp_billing_export_v1_1A1A1A_1B1B1B_1C1C1C"
ACCOUNTS = (
    BillingAccount("0A0A0A-0B0B0B-0C0C0C", "Northwind"),
    BillingAccount("2A2A2A-2B2B2B-2C2C2C", "Labs"),
)
DENIED = ApiError(403, "accessDenied", "Access Denied: Project shop")


def unanswered(_purpose: str, _sql: str) -> Answer:
    raise AssertionError("no query is run")


@pytest.fixture
def server() -> Iterator[FakeBigQuery]:
    tables: dict[str, dict[str, object]] = {
        name: {} for name in (DETAILED, STANDARD, OTHER, "shop.exports.notes")
    }
    with FakeBigQuery(unanswered, tables=tables, locations={"pay.billing": "EU"}) as running:
        yield running


def looked(
    server: FakeBigQuery, projects: Sequence[str] = (), accounts: Sequence[BillingAccount] = ACCOUNTS
) -> Discovery:
    identity = GoogleIdentity(AnonymousCredentials(), None, "somebody")  # type: ignore[no-untyped-call]
    with BigQuerySession(
        identity,
        job_project="pay",
        max_bytes_billed=0,
        tally=RefreshTally(),
        backoff=Backoff(call_seconds=0.0),
        endpoint=server.address,
    ) as session:
        return discover(session, lambda: accounts, projects, lambda _text: None)


def test_every_export_is_found_with_its_account_and_place_the_detailed_one_first(
    server: FakeBigQuery,
) -> None:
    found = looked(server)

    assert [(each.table_id, each.billing_account_id, each.location, each.kind) for each in found.exports] == [
        (DETAILED, "0A0A0A-0B0B0B-0C0C0C", "EU", "detailed"),
        (STANDARD, "0A0A0A-0B0B0B-0C0C0C", "EU", "standard"),
        (OTHER, "1A1A1A-1B1B1B-1C1C1C", "US", "standard"),
    ]
    assert found.projects == ("pay", "shop")
    assert found.unread == ()


def test_of_two_exports_of_one_account_only_the_detailed_one_is_taken(server: FakeBigQuery) -> None:
    assert [each.table_id for each in looked(server).best_exports] == [DETAILED, OTHER]


def test_an_account_whose_bill_is_written_nowhere_is_named(server: FakeBigQuery) -> None:
    assert looked(server).accounts_without_export == (ACCOUNTS[1],)


def test_only_the_named_projects_are_looked_at(server: FakeBigQuery) -> None:
    assert [each.table_id for each in looked(server, ["shop"]).exports] == [OTHER]


def test_a_project_that_refuses_costs_no_other(server: FakeBigQuery) -> None:
    server.faults.append(Fault("GET", r"/projects/shop/datasets\?", DENIED))

    found = looked(server)

    assert [each.table_id for each in found.exports] == [DETAILED, STANDARD]
    assert len(found.unread) == 1
    assert "listing the datasets of shop failed: Access Denied: Project shop" in found.unread[0]


def test_accounts_that_may_not_be_listed_cost_no_export(server: FakeBigQuery) -> None:
    def refuse() -> Sequence[BillingAccount]:
        raise SourceError("permission_denied", "grant a role")

    identity = GoogleIdentity(AnonymousCredentials(), None, "somebody")  # type: ignore[no-untyped-call]
    with BigQuerySession(
        identity,
        job_project="pay",
        max_bytes_billed=0,
        tally=RefreshTally(),
        backoff=Backoff(call_seconds=0.0),
        endpoint=server.address,
    ) as session:
        found = discover(session, refuse, (), lambda _text: None)

    assert len(found.exports) == 3
    assert found.unread == ("the billing accounts cannot be listed: grant a role",)


def test_open_billing_accounts_are_listed_over_all_pages() -> None:
    pages = {
        "": {"billingAccounts": [account("0A0A0A-0B0B0B-0C0C0C", "Northwind")], "nextPageToken": "2"},
        "2": {
            "billingAccounts": [
                account("2A2A2A-2B2B2B-2C2C2C", "Labs"),
                account("3A3A3A-3B3B3B-3C3C3C", "Old", is_open=False),
            ]
        },
    }

    def answer(asked: Asked) -> Reply:
        assert asked.path == "/v1/billingAccounts"
        return Reply(body=pages[asked.one("pageToken")])

    identity = GoogleIdentity(AnonymousCredentials(), None, "somebody")  # type: ignore[no-untyped-call]
    with WebApi(answer) as api:
        assert tuple(billing_accounts(identity, base_url=api.address)) == ACCOUNTS


def account(number: str, name: str, *, is_open: bool = True) -> dict[str, object]:
    return {"name": f"billingAccounts/{number}", "displayName": name, "open": is_open}


def test_a_refusal_to_list_accounts_names_the_role() -> None:
    identity = GoogleIdentity(AnonymousCredentials(), None, "somebody")  # type: ignore[no-untyped-call]
    with (
        WebApi(lambda _asked: Reply(403, {"error": {"message": "no"}})) as api,
        pytest.raises(SourceError, match=r"grant somebody the role Billing Account Viewer"),
    ):
        billing_accounts(identity, base_url=api.address)
