"""Faults of the files that bills are read from."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import timedelta
from typing import Any

from tests.faults.fault import Act, Fault, logged, unread, withheld
from tests.faults.world import CALLS, World
from tests.support.export_rows import export_row, export_time
from tests.support.focus_rows import focus_row, write_focus_csv


def _spoil(folder: str, file: str, content: bytes) -> Act:
    """Replace a file's content, and keep what it was."""

    def happens(world: World) -> None:
        path = world.folder / folder / file
        world.kept[file] = path.read_bytes() if path.exists() else None
        path.write_bytes(content)

    return happens


def _append(folder: str, file: str, content: bytes) -> Act:
    def happens(world: World) -> None:
        path = world.folder / folder / file
        world.kept[file] = path.read_bytes()
        path.write_bytes(world.kept[file] + content)

    return happens


def _mend(folder: str, file: str) -> Act:
    def heals(world: World) -> None:
        path = world.folder / folder / file
        content = world.kept.pop(file)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)

    return heals


def _two_of_three_files_gone(world: World) -> None:
    for day in (3, 4):
        path = world.exports / f"{day}.jsonl"
        world.kept[path.name] = path.read_bytes()
        path.unlink()


def _put_back(world: World) -> None:
    for day in (3, 4):
        (world.exports / f"{day}.jsonl").write_bytes(world.kept.pop(f"{day}.jsonl"))


def _folder_gone(world: World) -> None:
    shutil.move(world.bills, world.folder / "elsewhere")


def _folder_back(world: World) -> None:
    shutil.move(world.folder / "elsewhere", world.bills)


def _rows(world: World, *changes: dict[str, Any]) -> bytes:
    """Rows of the export of now."""
    now = export_time(world.now)
    rows = [
        export_row(**{"usage_start_time": now, "usage_end_time": now, "export_time": now} | each)
        for each in changes
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _absurd_amounts(world: World) -> None:
    amounts = (float("nan"), float("inf"), -1e300, 10**400, "a lot", None, [])
    _append("exports", "2.jsonl", _rows(world, *({"cost": amount} for amount in amounts)))(world)


def _from_the_future(world: World) -> None:
    ahead = export_time(world.now + timedelta(days=3))
    times = {"usage_start_time": ahead, "usage_end_time": ahead, "export_time": ahead}
    _append("exports", "2.jsonl", _rows(world, times))(world)


def _other_currency(world: World) -> None:
    world.kept["euros.csv"] = None
    month = f"{world.now:%Y-%m-01T00:00:00Z}"
    hour = f"{world.now - timedelta(hours=9):%Y-%m-%dT%H:00:00Z}"
    row = focus_row(BillingCurrency="EUR", BilledCost="7", ChargePeriodStart=hour, BillingPeriodStart=month)
    write_focus_csv(world.bills / "euros.csv", [row | {"ChargePeriodEnd": hour}])


def _same_file_twice(world: World) -> None:
    world.kept["aws (1).csv"] = None
    shutil.copy(world.bills / "aws.csv", world.bills / "aws (1).csv")


def _saved_as_unicode_text(world: World) -> None:
    content = (world.bills / "aws.csv").read_text(encoding="utf-8")
    _spoil("bills", "aws.csv", content.encode("utf-16"))(world)


def _calls_counted(world: World) -> float:
    return world.value("spend_llm_requests_total", provider="mistral") or 0


def _log_truncated(world: World) -> None:
    world.kept["calls"] = _calls_counted(world)
    world.calls.write_text(world.call(70) + world.call(71))


_BY_ITSELF = "by itself, when the file is right or gone"
_KEPT = "all bills: the last good figures stay"
_WITHHELD = "`spend_withheld_retraction_usd`, `spend_source_up` 0, log, page, `check`"
_LAST_GOOD = "all bills; of this file what was read of it before"

ROWS: tuple[Fault, ...] = (
    Fault(
        "a FOCUS file without a column that FOCUS requires",
        _spoil("bills", "new.csv", b"BilledCost,ProviderName\n1,AWS\n"),
        unread("focus"),
        "`spend_source_unreadable_files`; the log names file and column",
        _LAST_GOOD,
        _BY_ITSELF,
        _mend("bills", "new.csv"),
        alert="SpendFileUnreadable",
    ),
    Fault(
        "a page of HTML in place of JSON Lines",
        _spoil("exports", "2.jsonl", b"<html><body>502 Bad Gateway</body></html>\n"),
        unread("files"),
        "`spend_source_unreadable_files`; the log names the file",
        _LAST_GOOD,
        _BY_ITSELF,
        _mend("exports", "2.jsonl"),
        alert="SpendFileUnreadable",
    ),
    Fault(
        "a file that was emptied",
        _spoil("exports", "2.jsonl", b""),
        lambda world: withheld("files")(world) and world.is_down("files"),
        _WITHHELD,
        _KEPT,
        _BY_ITSELF,
        _mend("exports", "2.jsonl"),
        alert="SpendRetractionWithheld",
    ),
    Fault(
        "a compressed file that was cut short",
        _spoil("bills", "cut.csv", gzip.compress(b"BilledCost\n" * 1000)[:40]),
        unread("focus"),
        "`spend_source_unreadable_files`; the log names the file",
        _LAST_GOOD,
        _BY_ITSELF,
        _mend("bills", "cut.csv"),
        alert="SpendFileUnreadable",
    ),
    Fault(
        "a stray quote in a CSV file",
        _append("bills", "aws.csv", b'2,"x" y,z\n'),
        logged("aws.csv", "bad_csv"),
        "`spend_source_errors_total`; the log and `check` name file and line",
        "all other rows of the file",
        _BY_ITSELF,
        _mend("bills", "aws.csv"),
    ),
    Fault(
        "a line of a CSV file with bytes that are 0",
        _append("bills", "aws.csv", b"2,\0\0\0,x\n"),
        logged("aws.csv", "has a byte that is 0"),
        "`spend_source_errors_total`; the log and `check` name file and line",
        "all other rows of the file",
        _BY_ITSELF,
        _mend("bills", "aws.csv"),
    ),
    Fault(
        "a value of ten megabytes in a CSV file",
        _append("bills", "aws.csv", b"2," + b"x" * 10_000_000 + b"\n"),
        logged("aws.csv", "has a value of more than"),
        "`spend_source_errors_total`; the log and `check` name file and line",
        "all other rows of the file",
        _BY_ITSELF,
        _mend("bills", "aws.csv"),
    ),
    Fault(
        "a CSV file that has a column twice",
        _spoil("bills", "new.csv", b"BilledCost,ProviderName,BilledCost\n1,AWS,2\n"),
        lambda world: unread("focus")(world) and logged("new.csv", "'BilledCost' twice")(world),
        "`spend_source_unreadable_files`; the log names file and column",
        _LAST_GOOD,
        _BY_ITSELF,
        _mend("bills", "new.csv"),
        alert="SpendFileUnreadable",
    ),
    Fault(
        "a line that is no JSON among good ones",
        _append("exports", "2.jsonl", b'{"cost": 1,\n'),
        logged("2.jsonl", "bad_json"),
        "`spend_source_errors_total`; the log and `check` name file and line",
        "all other rows of the file",
        _BY_ITSELF,
        _mend("exports", "2.jsonl"),
    ),
    Fault(
        "two of three files gone at once",
        _two_of_three_files_gone,
        lambda world: withheld("files")(world) and world.is_down("files"),
        _WITHHELD,
        _KEPT,
        "by itself when they are back; `accept-retraction`; or after 24 hours",
        _put_back,
        alert="SpendRetractionWithheld",
    ),
    Fault(
        "a bill rewritten in place with half of its dollars",
        lambda world: world.write_bill(usd="1"),
        lambda world: withheld("focus")(world) and world.is_down("focus"),
        _WITHHELD,
        _KEPT,
        "by itself when it is right; `accept-retraction`; or after 24 hours",
        lambda world: world.write_bill(),
        alert="SpendRetractionWithheld",
    ),
    Fault(
        "a folder that is gone",
        _folder_gone,
        lambda world: world.is_down("focus"),
        "`spend_source_up` 0; the log names the pattern",
        _KEPT,
        "by itself when it is back",
        _folder_back,
        alert="SpendSourceFailing",
    ),
    Fault(
        "amounts that are no numbers, without end or absurd",
        _absurd_amounts,
        logged("2.jsonl", "bad_cost"),
        "`spend_source_errors_total`; the log and `check` name the file and what is wrong",
        "all other rows of the file",
        _BY_ITSELF,
        _mend("exports", "2.jsonl"),
    ),
    Fault(
        "rows that were exported in the future",
        _from_the_future,
        logged("2.jsonl", "future_timestamp"),
        "`spend_source_errors_total`; the log and `check` name the file",
        "all other rows of the file",
        "by itself, when their time has come",
        _mend("exports", "2.jsonl"),
    ),
    Fault(
        "a bill in a currency without a rate",
        _other_currency,
        logged("euros.csv", "no_usd_rate"),
        "`spend_source_errors_total`; the log and `check` name file and setting",
        "all bills; its rows count on their invoice",
        "by itself, with a rate in `focus.usd_per`",
        _mend("bills", "euros.csv"),
    ),
    Fault(
        "the same file under a second name",
        _same_file_twice,
        logged("aws (1).csv"),
        "the log and `check` name both files",
        "all bills: nothing counts twice",
        _BY_ITSELF,
        _mend("bills", "aws (1).csv"),
    ),
    Fault(
        "a CSV file that was saved as Unicode text (UTF-16)",
        _saved_as_unicode_text,
        unread("focus"),
        "`spend_source_unreadable_files`; the log names the file",
        _LAST_GOOD,
        _BY_ITSELF,
        _mend("bills", "aws.csv"),
        alert="SpendFileUnreadable",
    ),
    Fault(
        "a log of calls that was cut to nothing and written anew",
        _log_truncated,
        lambda world: _calls_counted(world) == world.kept["calls"] + 2,
        "nothing: it is how logs are rotated",
        "all bills; each call is counted once",
        "nothing to do",
        lambda world: world.calls.write_text("".join(world.call(number) for number in range(80, 80 + CALLS))),
    ),
)
