"""Faults of a provider's API, here OpenAI's, which is asked once a minute, and sooner after a failure."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

from tests.fakes.llm_admin import OPENAI_KEY
from tests.fakes.slow_server import SlowServer
from tests.fakes.web_api import Fault as Answered
from tests.fakes.web_api import Reply, WebApi
from tests.faults.fault import Act, Fault, Holds
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


def _elsewhere(world: World, address: str) -> None:
    """Have the exporter, started anew, ask another address."""
    openai = {"admin_key_file": "openai.key", "base_url": address}
    world.change_config(llm={"openai": openai, "usage_logs": ["calls.log"]})
    world.stop()
    world.start(whole=False)


def _back(world: World) -> None:
    world.restore_config()


def _redirected(world: World) -> None:
    other = world.starting.enter_context(WebApi(lambda _asked: Reply()))
    world.kept["other"] = other
    _answers(Reply(302, {}, {"Location": f"{other.address}/v1/organization/costs"}))(world)


def _expired(world: World) -> None:
    pair = world.authority.sign("expired", ["127.0.0.1"], ends=datetime.now(UTC) - timedelta(days=1))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    api = world.starting.enter_context(WebApi(lambda _asked: Reply()))
    api.use_tls(context)
    _elsewhere(world, api.address.replace("http:", "https:"))


def _drips(world: World) -> None:
    _elsewhere(world, world.starting.enter_context(SlowServer("body")).address)


def _key_emptied(world: World) -> None:
    world.key.write_text("")
    world.stop()
    world.start(whole=False)


def _key_back(world: World) -> None:
    world.key.write_text(OPENAI_KEY)


def _told_with(*words: str) -> Holds:
    """Whether the source counts as down, and the log has the words and not the key."""
    return lambda world: (
        _told(world)
        and all(word in world.log_since() for word in words)
        and OPENAI_KEY not in world.program.log()
    )


def _row(
    name: str,
    reply: Reply | Act,
    told_by: str,
    *,
    takes_long: bool = False,
    told: Holds = _told,
    heals: Act = _answers_well,
) -> Fault:
    return Fault(
        name,
        _answers(reply) if isinstance(reply, Reply) else reply,
        told,
        told_by,
        "the bills of all others, and sums over them after the first try",
        "by itself, by retries from 15 seconds up",
        heals,
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
    _row(
        "a provider allows no more requests for an hour (429)",
        Reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "3600"}),
        "`spend_source_up` 0; the log has how long to wait",
        told=_told_with("too many requests, wait 3600 s"),
    ),
    _row(
        "a provider's answer has another form",
        Reply(200, {"object": "list", "data": "none"}),
        "`spend_source_up` 0; the log says what is missing",
        told=_told_with("no list `data`"),
    ),
    _row(
        "a provider's pages never end",
        Reply(200, {"object": "page", "data": [], "has_more": True, "next_page": "page_again"}),
        "`spend_source_up` 0; the log says that its pages form a loop",
        told=_told_with("its pages form a loop"),
    ),
    _row(
        "a provider redirects to another host",
        _redirected,
        "`spend_source_up` 0; the log names the host; the key is not sent there",
        told=lambda world: _told_with("redirects")(world) and not world.kept["other"].requests,
    ),
    _row(
        "a provider's certificate has expired",
        _expired,
        "`spend_source_up` 0; the log says so",
        told=_told_with("certificate has expired"),
        heals=_back,
    ),
    _row(
        "a provider's name is not known (DNS)",
        lambda world: _elsewhere(world, "https://no-such-provider.invalid"),
        "`spend_source_up` 0; the log names the host",
        told=_told_with("no-such-provider.invalid"),
        heals=_back,
        takes_long=True,
    ),
    _row(
        "a provider sends a byte at a time for ever",
        _drips,
        "`spend_source_up` 0; the log says how long was waited",
        told=_told_with("no answer within"),
        heals=_back,
        takes_long=True,
    ),
    _row(
        "the file of a key is empty",
        _key_emptied,
        "`spend_source_up` 0; the log names the setting and the file",
        told=_told_with("openai.key"),
        heals=_key_back,
    ),
)
