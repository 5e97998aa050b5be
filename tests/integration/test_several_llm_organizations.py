"""Several organizations of OpenAI and of Anthropic in one exporter, each with a key and an API of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.config.model import Config, parse
from exporter.refresh.refresher import Refresher
from exporter.sources.llm.admin_source import LlmAdminSource
from exporter.wiring.refresher import opened_refresher
from exporter.wiring.sources import configured_sources
from tests.fakes.llm_admin import COST_REPORT, COSTS, DAY, HOUR, MESSAGES, USAGE, FakeAdminApi
from tests.fakes.web_api import Asked, Fault, Reply, WebApi
from tests.support.exposed import Samples, by, samples, until

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 20, 14, 25, tzinfo=UTC)
TODAY = NOW.replace(hour=0, minute=0)
HOUR_AGO = NOW.replace(minute=0) - HOUR
OLD = TODAY - 20 * DAY


@dataclass
class Organization:
    """One organization: what its API reports, where, and the key that opens it."""

    api: FakeAdminApi
    server: WebApi
    key_file: Path

    def entry(self, name: str | None = None, **more: Any) -> dict[str, Any]:
        named = {"name": name} if name else {}
        key = {"admin_key_file": str(self.key_file), "base_url": self.server.address}
        return {**key, "history_days": 9, **named, **more}

    def costs(self, day: datetime, usd: str) -> None:
        if self.api.openai:
            money = {"value": float(usd), "currency": "usd"}
            self.api.add(
                COSTS, day, amount=money, line_item="gpt-5, input", project_id=f"p-{self.server.address}"
            )
        else:
            cents = str(float(usd) * 100)
            self.api.add(COST_REPORT, day, amount=cents, currency="USD", description="Claude usage")

    def uses(self, tokens: int) -> None:
        if self.api.openai:
            counts = {"input_tokens": tokens, "num_model_requests": 1}
            self.api.add(f"{USAGE}completions", HOUR_AGO, model="gpt-5", **counts)
        else:
            self.api.add(MESSAGES, HOUR_AGO, model="claude-sonnet-4-5", uncached_input_tokens=tokens)


@dataclass
class Estate:
    """Organizations, and a ledger that stays from one exporter to the next."""

    folder: Path
    stack: ExitStack

    def organization(self, kind: str, name: str, organization_id: str = "") -> Organization:
        openai = kind == "openai"
        key = f"{'sk-admin-' if openai else 'sk-ant-admin01-'}{name}"
        api = FakeAdminApi(openai, own_key=key, organization=organization_id)
        path = self.folder / f"{kind}-{name}.key"
        path.write_text(key, encoding="utf-8")
        return Organization(api, self.stack.enter_context(api.serve()), path)

    def config(self, llm: object, **more: object) -> Config:
        config = parse(json.dumps({"llm": llm, **more}), self.folder)
        return config.model_copy(update={"ledger": self.folder / "spend.duckdb"})

    def exposed(self, llm: object, now: datetime = NOW, **more: object) -> Samples:
        """What an exporter shows after it has read everything once, with the ledger of those before."""
        config = self.config(llm, **more)
        sources = configured_sources(config, {})
        for source in sources:
            if isinstance(source, LlmAdminSource):
                source.sleep = lambda _seconds: None
        with opened_refresher(config, sources, config.ledger, clock=lambda: now) as refresher:
            self.refresher: Refresher = refresher
            return samples(refresher.refresh_all().text)


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    with ExitStack() as stack:
        yield Estate(tmp_path, stack)


def month(shown: Samples) -> dict[tuple[str, ...], float]:
    return by(shown.get("spend_month_to_date_usd", {}), "provider", "billing_account_id")


def up(shown: Samples) -> dict[tuple[str, ...], float]:
    return by(shown["spend_source_up"], "source")


def tokens(shown: Samples) -> dict[tuple[str, ...], float]:
    return by(shown.get("spend_llm_tokens_total", {}), "provider")


def four(estate: Estate) -> tuple[list[Organization], dict[str, Any]]:
    made = [
        estate.organization("openai", "research", "org-research"),
        estate.organization("openai", "product", "org-product"),
        estate.organization("anthropic", "research", "0001-research"),
        estate.organization("anthropic", "product", "0002-product"),
    ]
    for number, each in enumerate(made, 1):
        each.costs(TODAY - 5 * DAY, f"{number}")
        each.uses(1000 * number)
    return made, {
        "openai": [made[0].entry("research"), made[1].entry("product")],
        "anthropic": [made[2].entry("research"), made[3].entry("product")],
    }


def test_two_organizations_of_each_provider_are_read_with_their_own_keys_and_fail_alone(
    estate: Estate,
) -> None:
    made, llm = four(estate)

    shown = estate.exposed(llm)

    everything = {
        ("openai", "org-research"): 1.0,
        ("openai", "org-product"): 2.0,
        ("anthropic", "0001-research"): 3.0,
        ("anthropic", "0002-product"): 4.0,
    }
    assert month(shown) == everything
    assert tokens(shown) == {("openai",): 3000.0, ("anthropic",): 7000.0}
    names = ("openai/research", "openai/product", "anthropic/research", "anthropic/product")
    assert up(shown) == {(name,): 1.0 for name in names}
    made[0].key_file.write_text("sk-admin-revoked", encoding="utf-8")
    made[1].costs(TODAY - 2 * DAY, "10")
    shown = estate.exposed(llm)
    assert month(shown) == {**everything, ("openai", "org-product"): 12.0}
    assert up(shown) == {(name,): 0.0 if name == names[0] else 1.0 for name in names}
    assert tokens(shown) == {("openai",): 3000.0, ("anthropic",): 7000.0}


def test_an_error_names_the_key_of_its_own_entry(estate: Estate) -> None:
    made, llm = four(estate)
    made[1].key_file.write_text("sk-admin-revoked", encoding="utf-8")
    estate.exposed(llm)
    (status,) = [each for each in estate.refresher.snapshot.sources if each.name == "openai/product"]
    assert status.failed_with == "unauthorized"
    assert "llm.openai[1].admin_key_file" in status.last_error
    assert "revoked" not in status.last_error.replace("it may have been revoked", "")


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("knows_its_organization", [True, False])
def test_a_second_organization_or_another_name_neither_loses_nor_doubles_what_the_ledger_has(
    estate: Estate, kind: str, *, knows_its_organization: bool
) -> None:
    first, second = (
        estate.organization(kind, name, f"id-{name}" if knows_its_organization else "")
        for name in ("first", "second")
    )
    for each, usd in ((first, "5"), (second, "7")):
        each.costs(TODAY - 6 * DAY, usd)
        each.uses(1000)
    label = "id-first" if knows_its_organization else ""
    before = estate.exposed({kind: first.entry()}, TODAY - 5 * DAY)
    assert month(before) == {(kind, ""): 5.0}
    # The provider no longer has the first days when the configuration changes: the ledger alone does.
    later = {"history_days": 4}
    both = [second.entry("second"), first.entry("first", **later)]
    shown = estate.exposed({kind: both})
    other = "id-second" if knows_its_organization else ""
    whole = {(kind, label): 5.0, (kind, other): 7.0} if knows_its_organization else {(kind, ""): 12.0}
    assert month(shown) == whole
    assert sum(by(shown["spend_billed_usd_total"]).values()) == 12.0
    shown = estate.exposed({kind: [second.entry("2nd", **later), first.entry("1st", **later)]})
    assert month(shown) == whole
    assert sum(by(shown["spend_billed_usd_total"]).values()) == 12.0
    assert up(shown) == {(f"{kind}/1st",): 1.0, (f"{kind}/2nd",): 1.0}


def test_tokens_of_an_organization_that_joins_do_not_make_the_counter_leap(estate: Estate) -> None:
    made, llm = four(estate)
    alone = estate.exposed({"openai": made[0].entry()})
    assert tokens(alone) == {("openai",): 1000.0}
    joined = estate.exposed({"openai": llm["openai"]})
    assert tokens(joined) == {("openai",): 1000.0}
    made[1].uses(50)
    assert tokens(estate.exposed({"openai": llm["openai"]})) == {("openai",): 1050.0}


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_two_keys_of_one_organization_count_once_and_the_health_says_so(estate: Estate, kind: str) -> None:
    one = estate.organization(kind, "one", "same-organization")
    again = estate.organization(kind, "again", "same-organization")
    for each in (one, again):
        each.costs(TODAY - 5 * DAY, "5")
        each.uses(1000)
    answered = one.server.answer

    def answer_last(asked: Asked) -> Reply:
        until(lambda: again.server.requests, "the other is asked first")
        return answered(asked)

    one.server.answer = answer_last
    for _ in range(2):
        shown = estate.exposed({kind: [one.entry("one"), again.entry("again")]})
        assert month(shown) == {(kind, "same-organization"): 5.0}
        assert tokens(shown) == {(kind,): 1000.0}
        assert up(shown) == {(f"{kind}/one",): 1.0, (f"{kind}/again",): 0.0}
        errors = by(shown["spend_source_errors_total"], "source", "reason")
        assert errors == {(f"{kind}/again", "account_read_twice"): 1.0}


def test_one_organization_alone_is_not_asked_who_it_is_and_keeps_its_series(estate: Estate) -> None:
    made, _ = four(estate)
    shown = estate.exposed({"anthropic": made[2].entry()})
    assert month(shown) == {("anthropic", ""): 3.0}
    assert up(shown) == {("anthropic",): 1.0}
    assert made[2].server.asked("/organizations/me") == []


def test_an_api_that_does_not_say_whose_key_it_is_is_read_all_the_same(estate: Estate) -> None:
    made, llm = four(estate)
    made[2].api.faults.append(Fault("/organizations/me", Reply(403, {"error": {"message": "no"}}), times=9))
    shown = estate.exposed({"anthropic": llm["anthropic"]})
    assert month(shown) == {("anthropic", ""): 3.0, ("anthropic", "0002-product"): 4.0}


def test_each_spend_limit_holds_for_its_own_organization(estate: Estate) -> None:
    made, llm = four(estate)
    limit = {"threshold_amount": 1000, "currency": "USD", "interval": "month"}
    made[0].api.spend_limit = made[1].api.spend_limit = limit
    shown = estate.exposed({"openai": llm["openai"]})
    # Billed dollars, and less than a cent that is estimated.
    assert by(shown["spend_budget_used_usd"], "budget") == {
        ("openai spend limit (research)",): pytest.approx(1.0, abs=0.01),
        ("openai spend limit (product)",): pytest.approx(2.0, abs=0.01),
    }


def test_keys_that_are_exchanged_between_two_entries_lose_and_double_nothing(estate: Estate) -> None:
    made, llm = four(estate)
    estate.exposed({"openai": llm["openai"]})
    swapped = {"openai": [made[1].entry("research"), made[0].entry("product")]}
    estate.exposed(swapped)
    shown = estate.exposed(swapped)
    assert month(shown) == {("openai", "org-research"): 1.0, ("openai", "org-product"): 2.0}
    assert up(shown) == {("openai/research",): 1.0, ("openai/product",): 1.0}
    assert tokens(shown) == {("openai",): 3000.0}


def test_an_entry_with_the_key_of_another_organization_reads_that_ones_past_too(estate: Estate) -> None:
    made, llm = four(estate)
    other = estate.organization("openai", "other", "org-other")
    other.costs(TODAY - 7 * DAY, "50")
    estate.exposed({"openai": llm["openai"]})
    shown = estate.exposed({"openai": [other.entry("research"), made[1].entry("product")]})
    assert month(shown) == {("openai", "org-other"): 50.0, ("openai", "org-product"): 2.0}
