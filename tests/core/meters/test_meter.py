"""The usage table: no two meters may claim one name or one SKU."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from exporter.core.meters import RUN, USAGE_TABLE, meters_by_name
from exporter.core.meters.meter import MeterTableError, Skus, UsageMeter, check_meters
from exporter.simulator.google.catalogue import SERVICES, SKUS

CPU = meters_by_name()["cloud_run_cpu_seconds"]


def explaining(service_id: str, sku_id: str, description: str) -> list[str]:
    """Names of the meters that explain a SKU."""
    return [
        meter.name
        for meter in USAGE_TABLE
        if meter.service_id == service_id and meter.skus and meter.skus.matches(sku_id, description)
    ]


def test_the_table_is_sound() -> None:
    check_meters(USAGE_TABLE)
    assert len(meters_by_name()) == len(USAGE_TABLE)


def other(**skus: object) -> UsageMeter:
    return replace(CPU, name="another", skus=Skus("cpu", **skus))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("second", "claimed"),
    [
        (replace(CPU, metric_type="run.googleapis.com/other"), "the name cloud_run_cpu_seconds"),
        (other(ids=frozenset({"4856-B847-F1EB"})), "the SKU 4856-B847-F1EB"),
        (other(ids=frozenset({"4856-B847-F1EB"}), pattern="^Other"), "the SKU 4856-B847-F1EB"),
        (other(pattern=CPU.skus.pattern.upper() if CPU.skus else ""), f"SKUs of {RUN} like"),
    ],
)
def test_two_meters_that_claim_the_same_are_refused_with_both_names(second: UsageMeter, claimed: str) -> None:
    with pytest.raises(MeterTableError, match="only one") as caught:
        check_meters([CPU, second])
    assert claimed in str(caught.value)
    assert f"{CPU.name} and {second.name}" in str(caught.value)


def test_the_same_description_is_another_sku_in_another_service() -> None:
    elsewhere = replace(CPU, name="another", service_id="other", skus=replace(CPU.skus, ids=frozenset()))
    check_meters([CPU, elsewhere])
    assert len(meters_by_name((CPU, elsewhere))) == 2


@pytest.mark.parametrize(
    ("sku_id", "description"),
    [
        ("4856-B847-F1EB", "Services CPU (Request-based billing)"),
        ("085C-A237-027A", "Services CPU Tier 2 (Request-based billing)"),
        ("02A2-9231-36A6", "Services Memory (Request-based billing)"),
        ("2DA5-55D3-E679", "Requests"),
        ("7EBB-8579-2C98", "Services Min Instance CPU (Request-based billing)"),
        ("3DFE-FD5E-A6D0", "Services CPU (Instance-based billing) in europe-west2"),
        ("900B-EA7D-0386", "Jobs CPU in europe-west2"),
        ("any", "Services Min Instance  CPU Tier 2 (Request-based billing)"),
    ],
)
def test_a_sku_of_cloud_run_is_explained_by_one_meter(sku_id: str, description: str) -> None:
    assert len(explaining(RUN, sku_id, description)) == 1


def test_no_sku_of_a_whole_companys_bill_is_explained_twice() -> None:
    found = {
        sku.description: explaining(SERVICES[sku.service].id, sku.id, sku.description)
        for sku in SKUS.values()
    }
    assert {description: names for description, names in found.items() if len(names) > 1} == {}
    used = Counter(name for names in found.values() for name in names)
    assert len(used) > 10, "few meters explain anything, so this says little"
