"""Faults of permissions: files and folders that the exporter's user may not read or write."""

from __future__ import annotations

from pathlib import Path

from tests.faults.fault import Act, Fault, Holds, config_refused, config_taken_over, logged, unread
from tests.faults.world import World

_NOTHING = 0o000
_READ_ONLY = 0o500
_NOT_ALLOWED = "Permission denied"


def _forbids(place: str, mode: int = _NOTHING, then: Act = lambda _world: None) -> Act:
    """Take rights to a file or folder away, and keep what they were."""

    def happens(world: World) -> None:
        path = world.folder / place
        world.kept[place] = path.stat().st_mode
        path.chmod(mode)
        then(world)

    return happens


def _allows(place: str) -> Act:
    return lambda world: (world.folder / place).chmod(world.kept.pop(place))


def _log_grows_forbidden(world: World) -> None:
    with world.calls.open("a") as log:
        _forbids("calls.log")(world)
        log.write(world.call(90))


def _start_anew(world: World) -> None:
    world.stop()
    world.start(whole=False)


def _down(source: str, *words: str) -> Holds:
    return lambda world: world.is_down(source) and logged(*words)(world)


def _key_is_read(world: World) -> bool:
    return world.value("spend_source_up", source="openai") == 1 and world.is_whole()


def _refused_to_start(world: World) -> None:
    world.stop()
    path = world.ledger.parent
    world.kept["mode"] = path.stat().st_mode
    path.chmod(_NOTHING)
    world.kept["refused"] = world.refused_program()


def _allowed_to_start(world: World) -> None:
    world.ledger.parent.chmod(world.kept.pop("mode"))
    world.start()


def _refused(world: World) -> bool:
    ended = world.kept["refused"]
    return (
        ended.returncode == 1
        and _NOT_ALLOWED in ended.stderr
        and str(world.ledger) in ended.stderr
        and "Traceback" not in ended.stderr
    )


def _new_charges(world: World) -> None:
    world.write_bill("new.csv", usd="0")


def _without_new_charges(world: World) -> None:
    _allows("data")(world)
    (world.bills / "new.csv").unlink()


_STAYS = "all bills: the last good figures stay"
_BY_ITSELF = "by itself, when it may be read"

ROWS: tuple[Fault, ...] = (
    Fault(
        "a bill file that may not be read",
        _forbids("bills/aws.csv"),
        lambda world: unread("focus")(world) and logged("aws.csv", _NOT_ALLOWED)(world),
        "`spend_source_unreadable_files`; the log names the file",
        _STAYS,
        _BY_ITSELF,
        _allows("bills/aws.csv"),
        alert="SpendFileUnreadable",
    ),
    Fault(
        "a folder of bills that may not be read",
        _forbids("bills"),
        _down("focus", str(Path("bills")), _NOT_ALLOWED),
        "`spend_source_up` 0; the log names the folder",
        _STAYS,
        _BY_ITSELF,
        _allows("bills"),
        alert="SpendSourceFailing",
    ),
    Fault(
        "a link among the bills that leads to itself",
        lambda world: (world.bills / "link.csv").symlink_to("link.csv"),
        lambda world: unread("focus")(world) and logged("link.csv", "symbolic links")(world),
        "`spend_source_unreadable_files`; the log names the link",
        _STAYS,
        "by itself, when the link is gone",
        lambda world: (world.bills / "link.csv").unlink(),
        alert="SpendFileUnreadable",
    ),
    Fault(
        "a log of calls that may not be read",
        _log_grows_forbidden,
        lambda world: unread("usage_logs")(world) and logged("calls.log", _NOT_ALLOWED)(world),
        "`spend_source_unreadable_files`; the log names the file",
        "all bills; the calls that were read before",
        _BY_ITSELF,
        _allows("calls.log"),
        alert="SpendFileUnreadable",
    ),
    Fault(
        "the file of a key that may not be read",
        _forbids("openai.key", then=_start_anew),
        _down("openai", "openai.key", _NOT_ALLOWED),
        "`spend_source_up` 0; the log names the setting and the file",
        "the bills of all others, and sums over them after the first try",
        "by itself, by retries from 15 seconds up",
        _allows("openai.key"),
        healed=_key_is_read,
        alert="SpendSourceFailing",
    ),
    Fault(
        "the configuration may not be read while running",
        _forbids("config.yml"),
        config_refused,
        "`spend_config_last_reload_successful` 0; the log names the file",
        "everything, by the configuration of before",
        _BY_ITSELF,
        _allows("config.yml"),
        healed=config_taken_over,
        alert="SpendConfigNotTakenOver",
    ),
    Fault(
        "the folder of the ledger may not be entered while running",
        _forbids("data", then=_new_charges),
        _down("focus", "spend.duckdb", _NOT_ALLOWED),
        "`spend_source_up` 0; the log names the folder",
        "all figures stay",
        "by itself, when it may be entered",
        _without_new_charges,
        alert="SpendSourceFailing",
    ),
    Fault(
        "the folder of the ledger may not be written while running",
        _forbids("data", _READ_ONLY, then=_new_charges),
        logged("could not be kept", _NOT_ALLOWED),
        "the log: the counters are not kept beside the ledger",
        "all bills, also new charges, as long as the ledger's own files can be written",
        "by itself, when it may be written",
        _without_new_charges,
    ),
    Fault(
        "the folder of the ledger may not be entered at the start",
        _refused_to_start,
        _refused,
        "the exporter ends with exit code 1 and names the folder",
        "nothing, and the ledger stays as it is",
        "with the right to enter it, and another start",
        _allowed_to_start,
        works=lambda _world: True,
    ),
)
