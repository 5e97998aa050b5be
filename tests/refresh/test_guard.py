"""What may leave a bill, and what is withheld: by the changes that exports really make, and by faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.cli.main import main
from exporter.core.charges import Charge
from exporter.core.errors import WithheldError
from exporter.ledger.charges.store import Ledger
from exporter.ledger.withheld import WithheldRetractions
from exporter.refresh.guard import RetractionRules
from exporter.refresh.intake import Intake
from exporter.sources.base import Batch, Change, RefreshContext, RefreshTally, Retraction
from exporter.sources.spool import write_spool_csv
from tests.support.bill_source import TestedSource
from tests.support.charge_rows import charge

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Quiet(TestedSource):
    name = "files"
    provider = "gcp"
    billing_timezone = "America/Los_Angeles"

    def refresh(self, context: RefreshContext) -> Iterator[Change]:
        yield from ()


@dataclass
class World:
    """A ledger that a source changes; `now` moves by hand."""

    folder: Path
    rules: RetractionRules = field(default_factory=RetractionRules)
    now: datetime = NOON
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.folder / "spend.duckdb")

    def restart(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(self.folder / "spend.duckdb")

    def refresh(self, *changes: Change) -> Decimal:
        """Take the changes as one refresh, and return what the ledger has then. Raises WithheldError."""
        intake = Intake(self.ledger, self.folder, 400 * DAY, lambda: self.now, self.rules)
        source = Quiet()
        context = intake.context(source, RefreshTally(), lambda: False)
        with intake.receiving(source, context) as receiver:
            for change in changes:
                receiver.take(change)
        return self.usd

    @property
    def usd(self) -> Decimal:
        with self.ledger.reading() as connection:
            rows = connection.execute("SELECT coalesce(sum(billed_cost_usd), 0) FROM charge").fetchall()
        return Decimal(rows[0][0])

    def file(self, name: str, **usd_by_day: str) -> Batch:
        """A file with dollars of some days, `d1105="10"` for the fifth of November; credits are negative."""
        return self.batch(
            name,
            [
                charge(
                    usd,
                    charge_category="credit" if usd.startswith("-") else "usage",
                    charge_period_start=datetime(2026, int(day[1:3]), int(day[3:5]), 8, tzinfo=UTC),
                )
                for day, usd in usd_by_day.items()
            ],
        )

    def batch(self, name: str, charges: list[Charge], *, same_data: bool = False) -> Batch:
        spool = write_spool_csv(self.folder / f"{name}.csv", charges)
        return Batch(name, "cursor", spool, len(charges), same_data=same_data)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.ledger.close()
    assert [path.name for path in tmp_path.glob("*.csv")] == [], "spool files are left behind"


def daily(world: World, first: int, end: int) -> list[Batch]:
    return [world.file(f"d{day}", **{f"d11{day:02}": "10"}) for day in range(first, end)]


@pytest.mark.slow
def test_seven_of_eight_files_that_are_gone_are_withheld_and_the_last_good_figures_stay(world: World) -> None:
    world.refresh(*daily(world, 10, 18))
    with pytest.raises(
        WithheldError, match=r"\$70.00 would leave .* 88% of the dollars of 2026-11"
    ) as raised:
        world.refresh(*(Retraction(f"d{day}") for day in range(10, 17)))
    assert (raised.value.usd, raised.value.reason) == (Decimal(70), "withheld_retraction")
    assert world.usd == 80


@pytest.mark.slow
def test_a_window_of_any_length_may_move_on_by_a_day_each_day(world: World) -> None:
    world.refresh(*daily(world, 1, 4))
    for day in range(4, 20):
        assert world.refresh(*daily(world, day, day + 1), Retraction(f"d{day - 3}")) == 30
    # After some days without the exporter.
    assert world.refresh(*daily(world, 20, 23), *(Retraction(f"d{day}") for day in (17, 18, 19))) == 30


@pytest.mark.slow
@pytest.mark.parametrize("day", ["1", "2", "5"])
def test_the_file_of_the_month_to_date_begins_a_new_month_in_its_place(world: World, day: str) -> None:
    world.refresh(world.file("mtd", d1101="500", d1115="300", d1130="200"))
    world.now = datetime(2026, 12, int(day), 6, tzinfo=UTC)
    assert world.refresh(world.file("mtd", d1201="3")) == 3


@pytest.mark.slow
def test_a_month_that_has_no_charge_yet_leaves_the_one_before_in_its_place_without_a_word(
    world: World,
) -> None:
    world.refresh(world.file("mtd", d1101="500", d1130="200"))
    world.now = datetime(2026, 12, 1, 1, tzinfo=UTC)
    assert world.refresh(world.batch("mtd", [])) == 700
    world.now = datetime(2026, 12, 4, 1, tzinfo=UTC)
    with pytest.raises(WithheldError, match="mtd had rows and has none any more"):
        world.refresh(world.batch("mtd", []))
    assert world.refresh(world.file("mtd", d1201="3")) == 3


@pytest.mark.slow
def test_the_oldest_month_or_the_single_oldest_file_may_be_deleted(world: World) -> None:
    world.refresh(
        world.file("a1", d0901="50", d0930="5"),
        world.file("a2", d0910="50"),
        world.file("b", d1001="50", d1030="50"),
        world.file("c", d1101="60"),
        world.file("d", d1115="60"),
    )
    assert world.refresh(Retraction("a1"), Retraction("a2")) == 220
    assert world.refresh(Retraction("b")) == 120
    assert world.refresh(Retraction("c")) == 60


@pytest.mark.slow
def test_a_month_in_the_middle_may_not(world: World) -> None:
    world.refresh(world.file("a", d0901="50"), world.file("b", d1001="50"), world.file("c", d1101="50"))
    with pytest.raises(WithheldError, match="100% of the dollars of 2026-10"):
        world.refresh(Retraction("b"))


@pytest.mark.slow
def test_corrections_up_to_a_fifth_and_credits_of_any_size_lower_the_bill(world: World) -> None:
    world.refresh(world.file("mtd", d1101="50", d1110="50"))
    assert world.refresh(world.file("mtd", d1101="45", d1110="35")) == 80
    assert world.refresh(world.file("mtd", d1101="45", d1110="35", d1119="-60")) == 20
    with pytest.raises(WithheldError, match="56% of the dollars"):
        world.refresh(world.file("mtd", d1110="35"))
    assert world.usd == 20


@pytest.mark.slow
def test_the_first_days_of_a_month_are_compared_with_the_month_before(world: World) -> None:
    world.refresh(world.file("a", d1001="300"), world.file("mtd", d1101="50"))
    assert world.refresh(world.file("mtd", d1101="5")) == 305


@pytest.mark.slow
def test_what_moves_between_files_is_no_loss(world: World) -> None:
    world.refresh(world.file("a", d1101="50"), world.file("b", d1102="50"))
    assert world.refresh(Retraction("a"), Retraction("b"), world.file("c", d1101="50", d1102="50")) == 100


@pytest.mark.slow
def test_what_is_read_otherwise_or_no_longer_asked_for_needs_no_other_reason(world: World) -> None:
    world.refresh(world.file("a", d1101="50"), world.file("b", d1102="50"))
    assert world.refresh(world.batch("a", [charge("1")], same_data=True)) == 51
    assert world.refresh(Retraction("b", explained=True)) == 1


@pytest.mark.parametrize("usd", ["0.01", "40"])
def test_a_doubtful_retraction_is_withheld_whatever_it_is(world: World, usd: str) -> None:
    world.refresh(world.file("a", d1101="50"), world.file("b", d1102=usd))
    with pytest.raises(WithheldError, match="not mounted"):
        world.refresh(Retraction("b", doubt="/x may be not mounted"))
    assert world.usd == 50 + Decimal(usd)


@pytest.mark.slow
def test_what_is_withheld_is_accepted_after_a_day_also_over_restarts_and_only_if_it_does_not_grow(
    world: World,
) -> None:
    world.refresh(*daily(world, 10, 18))
    gone = [Retraction(f"d{day}") for day in range(12, 16)]
    for _ in range(3):
        with pytest.raises(WithheldError, match="or wait until 2026-11-21 12:00 UTC"):
            world.refresh(*gone)
        world.now += 7 * HOUR
        world.restart()
    with pytest.raises(WithheldError, match="or wait until 2026-11-22 09:00 UTC"):
        world.refresh(*gone, Retraction("d16"))
    world.now += 5 * HOUR
    with pytest.raises(WithheldError):
        world.refresh(*gone, Retraction("d16"))
    world.now += 19 * HOUR
    assert world.refresh(*gone, Retraction("d16")) == 30
    assert WithheldRetractions(world.ledger.path).of("files") is None


@pytest.mark.slow
def test_what_comes_back_is_withheld_no_more_and_begins_anew(world: World) -> None:
    world.refresh(*daily(world, 10, 18))
    gone = [Retraction(f"d{day}") for day in range(10, 17)]
    with pytest.raises(WithheldError):
        world.refresh(*gone)
    world.now += 20 * HOUR
    assert world.refresh() == 80
    world.now += 20 * HOUR
    with pytest.raises(WithheldError):
        world.refresh(*gone)


@pytest.mark.slow
def test_without_a_time_only_a_person_accepts(world: World) -> None:
    world.rules = RetractionRules(accept_after=None)
    world.refresh(*daily(world, 10, 18))
    gone = [Retraction(f"d{day}") for day in range(10, 17)]
    for _ in range(3):
        with pytest.raises(WithheldError) as raised:
            world.refresh(*gone)
        assert "wait until" not in str(raised.value)
        world.now += 400 * DAY


@pytest.mark.slow
def test_the_command_accepts_what_is_withheld_while_the_ledger_is_in_use(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    config = world.folder / "config.yml"
    config.write_text(f"ledger: {world.ledger.path}\ngcp: {{billing_export: {{files: ['*.parquet']}}}}\n")
    accept = ["accept-retraction", "--config", str(config), "--source", "files"]
    assert main(accept) == 1
    assert "nothing of the source 'files' is withheld" in capsys.readouterr().err
    world.refresh(*daily(world, 10, 18))
    gone = [Retraction(f"d{day}") for day in range(10, 17)]
    with pytest.raises(WithheldError):
        world.refresh(*gone)
    assert main(accept) == 0
    assert "files: $70.00 withheld since 2026-11-20 12:00 UTC" in capsys.readouterr().out
    assert world.refresh(*gone) == 10
    assert sorted(path.name for path in world.folder.glob("*.json")) == []


@pytest.mark.slow
def test_what_was_accepted_is_not_more_than_what_was_withheld(world: World) -> None:
    world.refresh(*daily(world, 10, 20))
    gone = [Retraction(f"d{day}") for day in range(11, 15)]
    with pytest.raises(WithheldError):
        world.refresh(*gone)
    assert WithheldRetractions(world.ledger.path).accept("files") is not None
    with pytest.raises(WithheldError):
        world.refresh(*gone, Retraction("d16"), Retraction("d17"))
    assert world.usd == 100
