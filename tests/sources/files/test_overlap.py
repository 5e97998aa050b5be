"""Files that repeat rows: each charge counts once, whatever arrives, and what is in doubt is named."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sources.files.fingerprint import Cell, FileCursor, Fingerprint, file_cursor, new_cursor
from exporter.sources.files.overlap import Decision, Doubt, Known, Loss, Relation, decide

DAY = 24 * 2**19
"""The key of the first day of an account; its multiples are the other days."""


def content(
    days: Iterable[int], *, changed: Iterable[int] = (), rows: int = 3, hourly: bool = True
) -> Fingerprint:
    """Rows on some days; on the changed ones they are for the same things and cost something else."""
    changed = set(changed)
    cells = {day * DAY: Cell(rows, 1000 + day, 7 * day + (5 if day in changed else 0)) for day in days}
    return Fingerprint(cells, hourly)


def file(name: str, written: int, content: Fingerprint) -> Known:
    return Known(name, written, content)


def losses(*files: Known) -> dict[str, tuple[str, str]]:
    decision = decide(files)
    assert decide(reversed(files)) == decision
    return {name: (loss.winner, loss.relation.value) for name, loss in decision.losses.items()}


def test_of_a_file_and_its_copies_the_oldest_counts() -> None:
    files = [
        file("b", 5, content(range(9))),
        file("a", 7, content(range(9))),
        file("c", 9, content(range(9))),
    ]
    assert losses(*files) == {"a": ("b", "copy"), "c": ("b", "copy")}


def test_of_month_to_date_exports_the_one_with_the_most_days_counts() -> None:
    files = [
        file(name, when, content(range(days))) for name, when, days in [("a", 3, 5), ("b", 2, 9), ("c", 1, 7)]
    ]
    assert losses(*files) == {"a": ("b", "part"), "c": ("b", "part")}


def test_a_later_export_that_restates_some_days_counts_in_place_of_the_older_one() -> None:
    assert losses(
        file("older", 1, content(range(20))), file("newer", 2, content(range(21), changed=[18, 19]))
    ) == {"older": ("newer", "older")}


def test_a_later_export_of_the_same_days_with_other_amounts_counts() -> None:
    assert losses(
        file("older", 1, content(range(20))), file("newer", 2, content(range(20), changed=[3]))
    ) == {"older": ("newer", "older")}


def test_a_newer_export_that_breaks_off_does_not_replace_the_complete_one() -> None:
    assert losses(
        file("complete", 1, content(range(20))), file("cut", 2, content(range(11), changed=[10]))
    ) == {"cut": ("complete", "cut")}


def test_daily_files_beside_the_export_of_the_whole_month_do_not_count() -> None:
    days = [file(f"day {day}", day, content([day])) for day in range(3)]
    assert losses(*days, file("month", 0, content(range(3)))) == {
        f"day {day}": ("month", "part") for day in range(3)
    }


def test_files_without_a_day_in_common_have_nothing_to_do_with_each_other() -> None:
    assert decide([file("a", 1, content(range(5))), file("b", 2, content(range(5, 9)))]) == Decision({}, ())


def test_files_with_other_rows_on_the_same_days_both_count_without_doubt() -> None:
    other = Fingerprint(
        {key: cell._replace(rows=4, subjects=9) for key, cell in content(range(5)).cells.items()}
    )
    assert decide([file("a", 1, content(range(5))), file("b", 2, other)]) == Decision({}, ())


@pytest.mark.parametrize(
    ("older", "newer", "days", "equal"),
    [
        (content(range(10)), content(range(5, 15)), 5, True),
        (content(range(10)), content(range(10), changed=range(10)), 10, False),
        (content(range(20)), content(range(12), changed=[9, 10, 11]), 12, True),
    ],
    ids=["spans that overlap", "all amounts restated", "a newer one with fewer days that restates several"],
)
def test_where_it_cannot_be_decided_both_count_and_both_are_named(
    older: Fingerprint, newer: Fingerprint, days: int, equal: bool
) -> None:
    decision = decide([file("older", 1, older), file("newer", 2, newer)])
    assert decision.losses == {}
    (doubt,) = decision.doubts
    assert {doubt.name, doubt.other} == {"older", "newer"}
    assert (doubt.days, doubt.equal) == (days, equal)


def test_files_for_other_resources_both_count_though_each_row_looks_the_same() -> None:
    files = [file("a", 1, content(range(5))), file("b", 2, content(range(5)))]
    assert decide(files, lambda _name, _other, _relation: False) == Decision({}, ())


def unlike(number: int, *, rows: int, written: int) -> Known:
    """A file of one day whose rows are those of no other, as far as fingerprints show."""
    return file(f"f{number}", written, Fingerprint({DAY: Cell(rows, 100 + number, 200 + number)}))


@pytest.mark.parametrize("written", [(1, 2), (2, 1)])
def test_a_file_with_all_rows_of_another_and_more_in_the_same_hour_counts_alone(
    written: tuple[int, int],
) -> None:
    less, more = unlike(1, rows=2, written=written[0]), unlike(2, rows=3, written=written[1])
    asked: list[tuple[str, str]] = []

    def share(name: str, other: str) -> float:
        asked.append((name, other))
        return 1.0

    decision = decide([less, more], shared_rows=share)
    assert decision == Decision({"f1": Loss("f2", Relation.PART)}, ())
    assert asked == [("f1", "f2")]


def test_what_lost_to_a_file_that_is_within_another_names_the_one_that_counts() -> None:
    small, more = unlike(1, rows=2, written=5), unlike(2, rows=3, written=1)
    copy = small._replace(name="copy", written=6)
    decision = decide([small, copy, more], shared_rows=lambda _name, _other: 1.0)
    assert decision.losses == {"copy": Loss("f2", Relation.COPY), "f1": Loss("f2", Relation.PART)}


@pytest.mark.parametrize(("share", "doubted"), [(0.49, False), (0.5, True), (0.99, True)])
def test_files_that_share_half_of_their_rows_are_in_doubt(share: float, doubted: bool) -> None:
    files = [unlike(1, rows=2, written=1), unlike(2, rows=3, written=2)]
    decision = decide(files, shared_rows=lambda _name, _other: share)
    assert decision.losses == {}
    assert decision.doubts == ((Doubt("f1", "f2", 1, True),) if doubted else ())


def test_a_copy_of_one_piece_of_an_export_is_refused() -> None:
    pieces = (content(range(5)), content(range(5), rows=4))
    whole = Known("whole", 1, Fingerprint.total(pieces), pieces)
    assert losses(whole, file("piece again", 2, pieces[1])) == {"piece again": ("whole", "copy")}


def test_an_export_in_one_file_and_the_same_in_pieces_are_the_same() -> None:
    pieces = (content(range(5)), content(range(5), rows=4))
    total = Fingerprint.total(pieces)
    assert losses(Known("pieces", 1, total, pieces), file("one", 2, total)) == {"one": ("pieces", "copy")}


def test_a_file_known_by_the_day_is_compared_with_one_known_by_the_hour() -> None:
    hours = Fingerprint({hour * 2**19: Cell(1, hour, 2 * hour) for hour in range(48)})
    assert losses(file("hours", 1, hours), file("days", 2, hours.by_day())) == {"days": ("hours", "copy")}


def test_two_doubts_name_each_pair_once() -> None:
    files = [file(str(n), n, content(range(5 * n, 5 * n + 10))) for n in range(3)]
    assert decide(files) == Decision({}, (Doubt("1", "2", 5, True), Doubt("0", "1", 5, True)))


month_to_date = st.builds(
    lambda name, written, days, changed: file(
        f"{name}", written, content(range(1, days + 1), changed=changed)
    ),
    st.integers(0, 10**6),
    st.integers(0, 5),
    st.integers(1, 8),
    st.sets(st.integers(1, 8), max_size=2),
)


@given(st.lists(month_to_date, max_size=7, unique_by=lambda each: each.name), st.randoms())
def test_the_decision_does_not_depend_on_the_order_and_every_winner_has_all_days_of_a_loser(
    files: list[Known], chance: object
) -> None:
    shuffled = sorted(files, key=lambda _: chance.random())  # type: ignore[attr-defined]
    decision = decide(files)
    assert decide(shuffled) == decision
    by_name = {each.name: each for each in files}
    for name, loss in decision.losses.items():
        assert by_name[name].content.cells.keys() <= by_name[loss.winner].content.cells.keys()
    counting = [each for each in files if each.name not in decision.losses]
    assert bool(counting) == bool(files)
    # Deciding again over what counts changes nothing: no further one would lose.
    assert decide(counting).losses == {}


def test_a_cursor_comes_back_as_it_was_written() -> None:
    for counted in (True, False):
        for hourly in (True, False):
            cursor = new_cursor("2/x:1:2:3", content(range(3), hourly=hourly), counted=counted)
            read = file_cursor(str(cursor))
            assert read == cursor
            assert isinstance(read, FileCursor)
            assert read.fingerprint == content(range(3), hourly=hourly)


@pytest.mark.parametrize("text", ["", "1:2:3:4", "2:1|ch|AAAA", "2:1|xh|", "2:1|ch| read until 2026-11-10"])
def test_any_other_cursor_is_unknown(text: str) -> None:
    assert file_cursor(text) is None


def test_losing_is_reported_by_the_winner_and_the_cause() -> None:
    assert decide([file("a", 1, content([1])), file("b", 2, content([1, 2]))]).losses == {
        "a": Loss("b", Relation.PART)
    }
