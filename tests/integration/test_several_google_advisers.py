"""Recommendations and budgets of two organizations, each by an API of its own on a socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.sources.base import Source
from exporter.sources.google.billing_budgets.source import BillingBudgetsSource
from exporter.sources.google.recommender.source import RecommenderSource
from tests.fakes.cloud_billing import ACCOUNT, TOKEN, FakeCloudBilling
from tests.fakes.web_api import Fault, Reply, WebApi
from tests.integration.google_organizations import exposed
from tests.sources.google.recommender.test_source import DENIED, entry, telling
from tests.support.exposed import Samples, by

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 20, 14, 25, tzinfo=UTC)
OF_ENTRY = "there"
OTHER_ACCOUNT = "01AB23-4C5D67-000000"


class Estate:
    """One API for each organization; both advise on the account and project of their own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.advisers = [
            stack.enter_context(WebApi(telling(entry(f"{place}-vm", units))))
            for place, units in (("here", "-30"), ("there", "-50"))
        ]
        self.billing = []
        for name in ("here", "there"):
            account = FakeCloudBilling()
            account.add(f"budget {name}")
            self.billing.append(stack.enter_context(account.serve()))
        self.errors: dict[str, str | None] = {}

    def exposed(self) -> Samples:
        gcp = {
            "project_ids": ["project-here"],
            "billing_account_id": ACCOUNT,
            "live_usage": {"enabled": False},
            "recommendations": {"enabled": True},
            "budgets": {"enabled": True},
            "billing_export": {"files": ["none/*.csv"]},
            "organizations": {
                "name": OF_ENTRY,
                "project_ids": ["project-there"],
                "billing_account_id": OTHER_ACCOUNT,
            },
        }
        shown, self.errors = exposed(gcp, self.folder, self._connect, NOW)
        return shown

    def _connect(self, source: Source) -> None:
        number = int("/" in source.name)
        if isinstance(source, RecommenderSource):
            source.endpoint, source.plaintext = self.advisers[number].address, True
            source.sleep = lambda _seconds: None
        if isinstance(source, BillingBudgetsSource):
            source.base_url = source.projects_url = self.billing[number].address
            source.billing_account_id = ACCOUNT
            source.token, source.sleep = (lambda: TOKEN), (lambda _seconds: None)


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    with ExitStack() as stack:
        yield Estate(tmp_path, stack)


def up(shown: Samples) -> dict[str, float]:
    return {name: each for (name,), each in by(shown["spend_source_up"], "source").items() if name != "files"}


def saved(shown: Samples) -> list[float]:
    return sorted(shown.get("spend_recommendation_savings_usd_per_month", {}).values())


def budgets(shown: Samples) -> set[str]:
    return {name for (name,) in by(shown.get("spend_budget_limit_usd", {}), "budget")}


def test_what_two_organizations_advise_is_all_there(estate: Estate) -> None:
    shown = estate.exposed()
    assert set(up(shown).values()) == {1.0}, estate.errors
    assert len(saved(shown)) == 2
    assert budgets(shown) == {"budget here", "budget there"}


@pytest.mark.parametrize("denied", [0, 1])
def test_an_organization_that_denies_does_not_dim_the_other_and_its_error_names_the_role(
    estate: Estate, denied: int
) -> None:
    everything = saved(estate.exposed())
    refusal = Reply(403, DENIED)
    estate.advisers[denied].faults.append(Fault("", refusal, times=99))
    estate.billing[denied].faults.append(Fault("", refusal, times=99))
    shown = estate.exposed()
    names = [f"{kind}{'/' + OF_ENTRY if denied else ''}" for kind in ("recommender", "billing_budgets")]
    assert {name for name, each in up(shown).items() if not each} == set(names)
    assert saved(shown) == [everything[0 if denied else 1]]
    assert budgets(shown) == {"budget there" if denied == 0 else "budget here"}
    advice, budget = (str(estate.errors[name]) for name in names)
    project = "project-there" if denied else "project-here"
    assert f"the recommendations of {project}: grant it roles/recommender.viewer" in advice
    assert "grant the account in use the role Billing Account Viewer" in budget
