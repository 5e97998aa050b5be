"""Faults of a provider's API, here OpenAI's, which is asked once a minute, and sooner after a failure."""

from __future__ import annotations

from tests.fakes.web_api import Fault as Answered
from tests.fakes.web_api import Reply
from tests.faults.fault import Act, Fault
from tests.faults.world import World

_ALWAYS = 10**6


def _answers(reply: Reply) -> Act:
    """Have the provider give this answer to everything from now on, and start the exporter anew."""

    def happens(world: World) -> None:
        world.openai.faults.append(Answered("/", reply, _ALWAYS))
        world.stop()
        world.start(whole=False)

    return happens


def _answers_well(world: World) -> None:
    world.openai.faults.clear()


def _told(world: World) -> bool:
    return world.is_down("openai")


def _healed(world: World) -> bool:
    return world.value("spend_source_up", source="openai") == 1 and world.is_whole()


def _row(name: str, reply: Reply, told_by: str, *, takes_long: bool = False) -> Fault:
    return Fault(
        name,
        _answers(reply),
        _told,
        told_by,
        "the bills of all others, and sums over them after the first try",
        "by itself, by retries from 15 seconds up",
        _answers_well,
        healed=_healed,
        alert="SpendSourceFailing",
        takes_long=takes_long,
    )


ROWS: tuple[Fault, ...] = (
    _row(
        "a provider refuses the key",
        Reply(401, {"error": {"message": "Incorrect API key"}}),
        "`spend_source_up` 0; the log names the key's setting, not the key",
    ),
    _row(
        "a provider answers with a page of HTML",
        Reply(200, b"<html>Welcome to the airport</html>", {"Content-Type": "text/html"}),
        "`spend_source_up` 0; the log names the address",
    ),
    _row(
        "a provider's answer is cut off",
        Reply(200, {"object": "page", "data": []}, breaks_off=True),
        "`spend_source_up` 0; the log says what broke",
        takes_long=True,
    ),
    _row(
        "a provider has an outage (503)",
        Reply(503, {"error": {"message": "overloaded"}}),
        "`spend_source_up` 0; the log has the status",
        takes_long=True,
    ),
)
