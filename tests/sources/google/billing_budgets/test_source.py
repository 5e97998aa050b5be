"""The budgets of Cloud Billing: what of them is honoured, and what is told of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter.core.errors import SourceError
from exporter.sources.base import Finding, RefreshContext, RefreshTally, Unreadable
from exporter.sources.google.billing_budgets.budgets import ProviderBudget
from exporter.sources.google.billing_budgets.source import BillingBudgetsSource
from exporter.sources.llm.openai import OpenAISource
from exporter.wiring.provider_budgets import provider_budgets
from tests.fakes.cloud_billing import ACCOUNT, TOKEN, FakeCloudBilling
from tests.fakes.web_api import Fault, Reply, WebApi

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def world() -> FakeCloudBilling:
    return FakeCloudBilling()


@pytest.fixture
def server(world: FakeCloudBilling) -> Iterator[WebApi]:
    with world.serve() as api:
        yield api


def source(server: WebApi, token: Callable[[], str] = lambda: TOKEN, **changes: Any) -> BillingBudgetsSource:
    return BillingBudgetsSource(
        changes.pop("account", ACCOUNT),
        base_url=server.address,
        projects_url=server.address,
        token=token,
        sleep=lambda _seconds: None,
        jitter=lambda: 0.0,
        kept_tags=("label:team",),
        **changes,
    )


def context(folder: Path = Path("/nowhere")) -> RefreshContext:
    return RefreshContext({}, NOW, NOW + timedelta(days=1), NOW - timedelta(days=400), folder, RefreshTally())


def read(server: WebApi) -> tuple[tuple[ProviderBudget, ...], dict[str, str]]:
    """The budgets, and what is told of those that are left out."""
    budgets = source(server)
    told = {}
    for each in budgets.refresh(context()):
        assert isinstance(each, Unreadable)
        told[each.partition] = each.rejected.detail
    return budgets.budgets, told


def test_every_page_is_read_and_every_filter_honoured(world: FakeCloudBilling, server: WebApi) -> None:
    world.add("plain")
    world.add(
        "filtered",
        "2500",
        budgetFilter={
            "projects": ["projects/123", "projects/lab"],
            "services": ["services/6F81-5844-456A"],
            "labels": {"team": ["research"]},
            "creditTypesTreatment": "EXCLUDE_ALL_CREDITS",
            "calendarPeriod": "QUARTER",
        },
    )
    world.add("last", None, budgetFilter={"calendarPeriod": "YEAR"})
    found, told = read(server)
    assert told == {}
    assert [each.name for each in found] == ["plain", "filtered", "last"]
    plain, filtered, last = found
    assert (plain.limit, plain.period, plain.with_credits) == (Decimal(100), "month", True)
    assert (filtered.projects, filtered.services) == (("shop-prod", "lab"), ("6F81-5844-456A",))
    assert filtered.labels == {"team": ("research",)}
    assert (filtered.limit, filtered.period, filtered.with_credits) == (Decimal(2500), "quarter", False)
    assert (last.limit, last.period) == (None, "year")


def test_an_amount_keeps_its_billionths(world: FakeCloudBilling, server: WebApi) -> None:
    amount = {"specifiedAmount": {"currencyCode": "USD", "units": "9", "nanos": 990_000_001}}
    world.add("exact", amount=amount)
    assert read(server)[0][0].limit == Decimal("9.990000001")


def test_a_limit_keeps_its_currency(world: FakeCloudBilling, server: WebApi) -> None:
    world.add("euro", amount={"specifiedAmount": {"currencyCode": "EUR", "units": "5"}})
    budgets = source(server)
    list(budgets.refresh(context()))
    [found] = provider_budgets([budgets])
    assert found.limit == 5
    assert found.currency == "EUR"


def test_a_period_of_its_own_has_its_days_in_the_billing_zone_and_ends_by_itself(
    world: FakeCloudBilling, server: WebApi
) -> None:
    def custom(*end: int) -> dict[str, object]:
        dates = dict(zip(("year", "month", "day"), end, strict=True))
        return {"customPeriod": {"startDate": {"year": 2026, "month": 10, "day": 1}, "endDate": dates}}

    world.add("project", budgetFilter=custom(2026, 11, 30))
    world.add("over", budgetFilter=custom(2026, 11, 1))
    found, told = read(server)
    assert told == {}
    assert [each.custom_period for each in found] == [
        (datetime(2026, 10, 1, 7, tzinfo=UTC), datetime(2026, 12, 1, 8, tzinfo=UTC))
    ]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"budgetFilter": {"resourceAncestors": ["folders/1"]}}, "folders or organizations"),
        ({"budgetFilter": {"subaccounts": ["billingAccounts/1"]}}, "subaccounts only"),
        ({"budgetFilter": {"creditTypesTreatment": "INCLUDE_SPECIFIED_CREDITS"}}, "only some credits"),
        ({"budgetFilter": {"calendarPeriod": "DECADE"}}, "period is DECADE"),
        ({"budgetFilter": {"zones": ["a"]}}, "does not know: zones"),
        ({"budgetFilter": {"labels": {"cost": ["a"]}}}, "label cost, which is not kept with charges; add it"),
        ({"budgetFilter": {"projects": ["projects/999"]}}, r"grant Browser (roles/browser)"),
        ({"budgetFilter": {"customPeriod": {"startDate": {"year": 2026}}}}, "has no end"),
        ({"budgetFilter": []}, "the form that"),
        ({"amount": {"specifiedAmount": {"units": "0"}}}, "not above 0"),
        ({"amount": {"specifiedAmount": {"units": "x"}}}, "is not a number"),
        ({"thresholdRules": [{"spendBasis": "CURRENT_SPEND"}]}, "thresholds is not a number"),
        ({"thresholdRules": [{"thresholdPercent": 1, "spendBasis": "LUCK"}]}, "basis LUCK"),
    ],
)
def test_a_budget_that_cannot_be_followed_is_reported_and_the_others_are_there(
    world: FakeCloudBilling, server: WebApi, changed: dict[str, Any], text: str
) -> None:
    world.add("odd", **changed)
    world.add("plain")
    found, told = read(server)
    assert [each.name for each in found] == ["plain"]
    assert text in told["odd"]


def test_an_account_without_budgets_is_no_trouble(server: WebApi) -> None:
    assert read(server) == ((), {})
    [finding] = source(server).check(context())
    assert (finding.ok, finding.detail) == (True, f"0 budgets of billing account {ACCOUNT}")


@pytest.mark.parametrize(
    ("status", "reason", "text"),
    [
        (403, "permission_denied", "Billing Account Viewer (roles/billing.viewer)"),
        (404, "not_found", "check gcp.billing_account_id"),
        (401, "unauthorized", "check gcp.credentials_path"),
        (429, "rate_limited", "tried again at the next refresh"),
        (500, "unavailable", "tried again at the next refresh"),
    ],
)
def test_a_refusal_says_what_to_do_and_the_last_budgets_stay(
    world: FakeCloudBilling, server: WebApi, status: int, reason: str, text: str
) -> None:
    world.add("plain")
    ticks = iter(range(0, 10_000, 20))
    budgets = source(server, monotonic=lambda: float(next(ticks)))
    list(budgets.refresh(context()))
    server.faults.append(Fault("/budgets", Reply(status, {"error": {"message": f"no {TOKEN}"}}), times=99))
    with pytest.raises(SourceError) as caught:
        list(budgets.refresh(context()))
    assert caught.value.reason == reason
    assert text in str(caught.value)
    assert TOKEN not in str(caught.value) + repr(budgets)
    assert [each.name for each in budgets.budgets] == ["plain"]
    [finding] = source(server, monotonic=lambda: float(next(ticks))).check(context())
    assert isinstance(finding, Finding)
    assert not finding.ok


@pytest.mark.parametrize("status", [429, 503])
def test_what_passes_is_tried_again(world: FakeCloudBilling, server: WebApi, status: int) -> None:
    world.add("plain")
    server.faults.append(Fault("/budgets", Reply(status), times=2))
    assert [each.name for each in read(server)[0]] == ["plain"]


def test_the_number_of_a_project_is_asked_for_once(world: FakeCloudBilling, server: WebApi) -> None:
    world.add("one", budgetFilter={"projects": ["projects/123"]})
    budgets = source(server)
    for _ in range(2):
        list(budgets.refresh(context()))
    assert len(server.asked("/v3/projects/")) == 1
    assert budgets.budgets[0].projects == ("shop-prod",)


@pytest.mark.slow
def test_an_answer_without_end_is_given_up() -> None:
    endless = WebApi(lambda _asked: Reply(body={"budgets": [], "nextPageToken": "1"}))
    with endless, pytest.raises(SourceError, match="no last page"):
        list(source(endless).refresh(context()))


def test_budgets_of_one_name_are_told_apart_and_thresholds_become_severities(
    world: FakeCloudBilling, server: WebApi
) -> None:
    rules = [
        {"thresholdPercent": share, "spendBasis": basis}
        for share, basis in (
            (0.5, "CURRENT_SPEND"),
            (0.75, "CURRENT_SPEND"),
            (0.9, "CURRENT_SPEND"),
            (1.2, "CURRENT_SPEND"),
            (1.0, "FORECASTED_SPEND"),
        )
    ]
    world.add("everything", thresholdRules=rules)
    world.add("everything")
    world.add("gcp daily limit")
    budgets = source(server)
    list(budgets.refresh(context()))
    found = provider_budgets([budgets], taken=["ml"])
    assert [each.name for each in found] == ["everything", "everything (id-1)", "gcp daily limit (id-2)"]
    assert found[0].match.providers == ("gcp",)
    assert {(each.basis, each.severity, each.ratio) for each in found[0].thresholds} == {
        ("actual", "info", 0.5),
        ("actual", "warning", 0.9),
        ("actual", "critical", 1.2),
        ("forecast", "warning", 1.0),
    }


def test_the_spend_limit_of_openai_is_a_budget_of_its_month() -> None:
    openai = OpenAISource(lambda: "sk-admin-x")
    assert provider_budgets([openai]) == []
    openai.spend_limit_usd = Decimal(250)
    [found] = provider_budgets([openai])
    assert (found.name, found.period) == ("openai spend limit", "month")
    assert found.limit == 250
    assert found.match.providers == ("openai",)
    assert {each.severity for each in found.thresholds} == {"info", "warning", "critical"}
