"""Variations of a world: what they change, and that everything else stays as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from exporter.simulator.google.world import World
from exporter.simulator.moment import MICROSECONDS_PER_HOUR
from exporter.simulator.variation import Variation
from tests.support.world_truth import pieces_exported

START = datetime(2026, 9, 1, 7, tzinfo=UTC)
FIRST = int(START.timestamp()) // 3600
UNTIL = START + timedelta(days=6)


def net_micros(world: World, hour: int) -> int:
    return sum(use.net_micros for _, use in world.uses(hour))


@pytest.mark.slow
def test_pieces_say_what_the_rows_say_in_the_same_order() -> None:
    world = World(2, START)
    rows = list(world.rows_exported(START, UNTIL))
    pieces = list(pieces_exported(world, START, UNTIL))
    assert [piece.use.cost_micros / 1e6 for piece in pieces] == [row["cost"] for row in rows]
    assert [piece.meter.service.name for piece in pieces] == [row["service"]["description"] for row in rows]
    assert [sum(credit.micros for credit in piece.use.credits) / 1e6 for piece in pieces] == pytest.approx(
        [sum(credit["amount"] for credit in row["credits"]) for row in rows]
    )


@pytest.mark.slow
def test_batch_work_rests_on_some_days_of_a_bursty_world_and_everything_else_goes_on() -> None:
    hours = range(FIRST, FIRST + 12 * 24)
    ordinary, bursty = (
        {(meter.name, hour): use.amount for hour in hours for meter, use in world.uses(hour)}
        for world in (World(2, START), World(2, START, variation=Variation(bursty=True)))
    )
    batch = {meter.name for meter, _ in World(2, START).uses(FIRST) if meter.line.active_share < 1.0}
    assert len(batch) == 3
    rest = {key: amount for key, amount in ordinary.items() if key[0] not in batch}
    assert {key: amount for key, amount in bursty.items() if key[0] not in batch} == rest
    days = {name: {(hour - FIRST) // 24 for used, hour in bursty if used == name} for name in batch}
    assert all(0 < len(found) < 12 for found in days.values())
    assert all((name, hour) in ordinary for name in batch for hour in hours)


def test_faster_growth_changes_nothing_before_it_begins() -> None:
    plain = World(2, START)
    faster = World(2, START, variation=Variation(faster_from=FIRST + 20 * 24))
    assert net_micros(faster, FIRST + 20 * 24) == net_micros(plain, FIRST + 20 * 24)
    assert net_micros(faster, FIRST + 50 * 24) > 1.02 * net_micros(plain, FIRST + 50 * 24)


@pytest.mark.slow
def test_a_late_service_bills_the_same_use_two_days_later_and_no_other_does() -> None:
    plain, late = (
        {
            (piece.meter.name, piece.hour, piece.use.amount): piece
            for piece in pieces_exported(World(2, START, variation=variation), START, UNTIL)
        }
        for variation in (Variation(), Variation(late_service="bigquery", late_hours=48.0))
    )
    delays = [
        (piece.exported_microseconds - plain[key].exported_microseconds) / MICROSECONDS_PER_HOUR
        for key, piece in late.items()
        if piece.meter.sku.service == "bigquery" and key in plain
    ]
    assert len(delays) > 100
    assert sorted(delays)[len(delays) // 2] == pytest.approx(48.0, abs=1.5)
    assert all(
        piece.exported_microseconds == plain[key].exported_microseconds
        for key, piece in late.items()
        if piece.meter.sku.service != "bigquery"
    )
