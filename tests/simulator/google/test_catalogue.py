"""The tables of the demo world: a wrong row shows here, not as an odd bill."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from exporter.simulator.google.catalogue import SERVICES, SKUS, Sku, made_up_id
from exporter.simulator.google.company import ACCOUNTS, LINES, PROJECTS, SEASONS
from exporter.simulator.google.usage import Usage

ID_FORM = re.compile(r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}")


def test_every_row_refers_to_rows_that_exist_and_every_sku_is_used() -> None:
    assert {line.sku for line in LINES} == set(SKUS)
    assert {sku.service for sku in SKUS.values()} == set(SERVICES)
    assert {line.project for line in LINES} == set(PROJECTS)
    assert {project.account for project in PROJECTS.values()} == set(ACCOUNTS)
    assert {line.season for line in LINES} <= set(SEASONS)


def test_ids_have_googles_form_and_identify_skus() -> None:
    ids = [sku.id or made_up_id(SERVICES[sku.service].name, sku.description) for sku in SKUS.values()]
    assert all(ID_FORM.fullmatch(id_) for id_ in ids)
    assert len(set(ids)) == len(ids)


def test_no_two_meters_share_their_randomness() -> None:
    names = Counter(meter.name for meter in Usage(1, 0, None).meters)
    assert names.most_common(1)[0][1] == 1


def test_a_season_moves_use_within_the_week_and_keeps_its_mean() -> None:
    meters = Usage(1, 0, None).meters
    assert len(meters) > 50
    assert [sum(meter.week) / 168 for meter in meters] == pytest.approx([1.0] * len(meters))


def test_prices_fit_a_numeric_of_nine_decimals_in_either_currency() -> None:
    rates = [account.usd_rate for account in ACCOUNTS.values()]
    assert len(rates) > 1
    for sku in SKUS.values():
        for rate in rates:
            assert round(sku.price_usd * rate, 9) == pytest.approx(sku.price_usd * rate, rel=0.01), (
                sku.description
            )


@pytest.mark.parametrize(
    ("key", "id_", "price"),
    [
        ("run-cpu", "4856-B847-F1EB", 0.000024),
        ("run-ram", "02A2-9231-36A6", 0.0000025),
        ("run-requests", "2DA5-55D3-E679", 0.0000004),
        ("run-cpu-2", "085C-A237-027A", 0.0000336),
        ("run-ram-2", "600C-3782-6708", 0.0000035),
        ("run-min-cpu", "7EBB-8579-2C98", 0.0000025),
        ("run-jobs-cpu", "900B-EA7D-0386", 0.0000252),
    ],
)
def test_cloud_run_skus_carry_googles_ids_and_list_prices(key: str, id_: str, price: float) -> None:
    sku: Sku = SKUS[key]
    assert (sku.id, sku.price_usd, SERVICES[sku.service].id) == (id_, price, "152E-C115-5142")
