"""Faults of the files that bills are read from."""

from __future__ import annotations

import gzip
import shutil

from tests.faults.fault import Act, Fault, logged, unread, withheld
from tests.faults.world import World


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
)
