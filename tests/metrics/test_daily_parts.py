"""Billing days by category, label and model: other divisions of the same dollars, exact to the last place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.analysis.bill.attribution import Attribution, Match, Rule
from exporter.core.charges import Charge, tags_text
from exporter.core.llm_meters import GCP_LLM_SERVICE_IDS
from exporter.ledger.charges.daily import DAY_STAMP_SECONDS, daily_costs
from exporter.ledger.charges.daily_parts import MOST_PARTS, DailyPart, Division, daily_parts
from exporter.ledger.charges.store import Ledger
from exporter.metrics.daily_parts import FAMILIES, divisions
from exporter.metrics.model_names import ModelNames
from tests.support.charge_rows import HOUR, charge, put
from tests.support.examples import examples

ZONES = {"gcp": "America/Los_Angeles", "openai": "UTC"}
BEGIN = datetime(2026, 10, 31, tzinfo=UTC)
"""The Pacific day of November 1st has 25 hours."""
WINDOW = (BEGIN, BEGIN + timedelta(days=4))

ATTRIBUTION = Attribution(
    [
        Rule("ml", Match(labels={"team": ("research",)}), "ml"),
        Rule("llm", Match(models=("gpt-*",)), "llm"),
    ]
)
LABELS = ("team", "tag:env")

Day = tuple[str, datetime]


def made(
    attribution: Attribution | None = ATTRIBUTION, labels: Sequence[str] = LABELS
) -> dict[str, Division]:
    models = ModelNames(GCP_LLM_SERVICE_IDS)
    return {each.name: each for each in divisions(attribution, labels, models)}


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def parts(ledger: Ledger, name: str, *sources: str) -> list[DailyPart]:
    with ledger.view(sources or ["files"]) as view:
        return daily_parts(view, made()[name], ZONES, WINDOW)


def by_day(found: Sequence[DailyPart], label: str = "") -> dict[Day, Decimal]:
    sums: dict[Day, Decimal] = defaultdict(Decimal)
    for each in found:
        if not label or each.labels[1] == label:
            assert each.usd is not None
            sums[each.labels[0], each.day] += each.usd
    return dict(sums)


def days(ledger: Ledger, service: str = "") -> dict[Day, Decimal]:
    """The values of spend_daily_usd, or those of a service."""
    sums: dict[Day, Decimal] = defaultdict(Decimal)
    with ledger.view(["files"]) as view:
        for provider, zone in ZONES.items():
            for labels, stamp, usd in daily_costs(view, provider, zone, *WINDOW):
                if service in ("", labels[2]):
                    day = datetime.fromtimestamp(stamp - DAY_STAMP_SECONDS, UTC)
                    sums[provider, day] += usd
    return dict(sums)


def gpt(
    usd: str | Decimal, when: datetime, model: str = "gpt-4o-2024-08-06", project: str = "chat"
) -> Charge:
    return charge(
        usd,
        provider="openai",
        project_id=project,
        service_id="openai-api",
        service_name="OpenAI API",
        sku_id=f"{model}/input",
        charge_period_start=when,
    )


def tagged(usd: str | Decimal, when: datetime, **tags: str) -> Charge:
    text = tags_text({name.replace("__", ":"): value for name, value in tags.items()})
    return charge(usd, charge_period_start=when, tags=text)


AMOUNTS = st.decimals(-50, 50, places=9).filter(bool)
HOURS = st.integers(0, 71).map(lambda hour: BEGIN + timedelta(hours=12) + hour * HOUR)
CHARGES = st.lists(
    st.one_of(
        st.builds(gpt, AMOUNTS, HOURS, st.sampled_from(["gpt-4o", "gpt-4o-mini"])),
        st.builds(tagged, AMOUNTS, HOURS, label__team=st.sampled_from(["research", "core", "web"])),
        st.builds(tagged, AMOUNTS, HOURS, tag__env=st.sampled_from(["prod", "test"])),
        st.builds(tagged, AMOUNTS, HOURS),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.slow
@given(CHARGES, st.integers(1, 3))
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_parts_of_a_day_sum_to_the_day_however_few_have_their_own_series(
    tmp_path: Path, charges: list[Charge], most: int
) -> None:
    ledger = Ledger(None)
    put(ledger, tmp_path, "a", *charges)
    with ledger.view(["files"]) as view:
        found = {name: daily_parts(view, each, ZONES, WINDOW, most=most) for name, each in made().items()}
    assert by_day(found["category"]) == days(ledger)
    for label in LABELS:
        assert by_day(found["label"], label) == days(ledger)
    assert by_day(found["model"]) == days(ledger, "OpenAI API")
    for name, listed in found.items():
        assert len({(each.labels, each.day) for each in listed}) == len(listed)
        assert {len(each.labels) for each in listed} <= {len(FAMILIES[name].labels)}
    ledger.close()


def test_each_charge_is_in_the_parts_that_the_rules_say(ledger: Ledger, tmp_path: Path) -> None:
    noon = BEGIN + timedelta(days=1, hours=20)
    first = noon.replace(hour=0)
    put(
        ledger,
        tmp_path,
        "a",
        tagged("3", noon, label__team="research"),
        tagged("5", noon, tag__env="prod"),
        gpt("7", noon),
    )
    assert parts(ledger, "category") == [
        DailyPart(("gcp", "ml"), first, Decimal(3)),
        DailyPart(("gcp", "unattributed"), first, Decimal(5)),
        DailyPart(("openai", "llm"), first, Decimal(7)),
    ]
    assert parts(ledger, "model") == [DailyPart(("openai", "chat", "gpt-4o-2024-08-06"), first, Decimal(7))]
    assert {each.labels: each.usd for each in parts(ledger, "label")} == {
        ("gcp", "team", "research"): 3,
        ("gcp", "team", "unlabelled"): 5,
        ("gcp", "tag:env", "prod"): 5,
        ("gcp", "tag:env", "unlabelled"): 3,
        ("openai", "team", "unlabelled"): 7,
        ("openai", "tag:env", "unlabelled"): 7,
    }


def test_the_largest_of_each_day_have_their_own_series_and_the_rest_is_other(
    ledger: Ledger, tmp_path: Path
) -> None:
    noon = BEGIN + timedelta(days=1, hours=20)
    values = [
        tagged(str(each + 1), noon + day * timedelta(days=1), label__team=f"team-{each:03}")
        for day in range(2)
        for each in (range(MOST_PARTS + 20) if day else range(5))
    ]
    put(ledger, tmp_path, "a", *values, tagged("0.5", noon))
    listed = [each for each in parts(ledger, "label") if each.labels[1] == "team"]
    first, second = ({each.labels[2]: each.usd for each in listed if each.day.day == day} for day in (1, 2))
    assert first == {**{f"team-{each:03}": each + 1 for each in range(5)}, "unlabelled": Decimal("0.5")}
    assert len(second) == MOST_PARTS + 1
    assert second["other"] == sum(range(1, 21))
    assert "team-019" not in second
    assert second["team-020"] == 21


def test_what_has_a_source_that_does_not_count_is_unknown_and_not_zero(
    ledger: Ledger, tmp_path: Path
) -> None:
    noon = BEGIN + timedelta(days=1, hours=20)
    put(ledger, tmp_path, "a", tagged("3", noon, label__team="research"))
    put(ledger, tmp_path, "b", gpt("7", noon), source="openai")
    assert [(each.labels[1], each.usd) for each in parts(ledger, "category")] == [("ml", 3), ("llm", None)]
    assert [each.usd for each in parts(ledger, "model", "files", "openai")] == [Decimal(7)]


def test_only_what_is_configured_is_divided() -> None:
    assert set(made(None, ())) == {"model"}
    assert set(made()) == {"model", "category", "label"}


def test_without_charges_there_are_no_parts(ledger: Ledger) -> None:
    assert [parts(ledger, name) for name in made()] == [[], [], []]
