"""Faults of the web server's certificate, replaced while it is in use."""

from __future__ import annotations

import json

from tests.faults.fault import Act, Fault
from tests.faults.world import World
from tests.support.certificates import Pair


def _encrypted_then(replace: Act) -> Act:
    """Have the exporter answer over TLS, by a certificate that clients trust, and replace that."""

    def happens(world: World) -> None:
        pair = world.authority.sign("web", ["127.0.0.1"])
        tls = {"cert_file": pair.cert.name, "key_file": pair.key.name}
        (world.folder / "web.yml").write_text(json.dumps({"tls_server_config": tls}))
        world.wait(lambda: world.program.address().startswith("https:"), "an encrypted address")
        world.wait(world.is_whole, "both bills")
        world.kept["pair"] = pair
        replace(world)

    return happens


def _pair(world: World) -> Pair:
    pair: Pair = world.kept["pair"]
    return pair


def _broken(world: World) -> None:
    _pair(world).cert.write_text("-----BEGIN CERTIFICATE-----\nhalf of it")


def _key_of_another(world: World) -> None:
    _pair(world).key.write_bytes(world.authority.sign("other").key.read_bytes())


def _key_forbidden(world: World) -> None:
    # As renewals do: a new file takes the place of the old one.
    new = world.authority.sign("new", ["127.0.0.1"])
    new.key.chmod(0o000)
    new.cert.replace(_pair(world).cert)
    new.key.replace(_pair(world).key)


def _told(world: World) -> bool:
    return (
        world.value("spend_config_last_reload_successful") == 0
        and "the certificates of before stay" in world.log_since()
    )


def _renewed(world: World) -> None:
    world.authority.sign("web", ["127.0.0.1"])


def _allowed(world: World) -> None:
    _pair(world).key.chmod(0o600)


def _mended_and_plain_again(mend: Act) -> Act:
    """Mend the certificate, see that it counts as mended, and go back to plain HTTP for what follows."""

    def heals(world: World) -> None:
        mend(world)
        world.wait(
            lambda: world.value("spend_config_last_reload_successful") == 1, "a certificate that is used"
        )
        (world.folder / "web.yml").write_text("{}")
        world.wait(lambda: world.program.address().startswith("http:"), "a plain address")

    return heals


def _row(name: str, replace: Act, mend: Act, log: str) -> Fault:
    return Fault(
        name,
        _encrypted_then(replace),
        _told,
        f"`spend_config_last_reload_successful` 0; the log names {log}",
        "everything, by the certificate of before",
        "by itself, when certificate and key are right",
        _mended_and_plain_again(mend),
        alert="SpendConfigNotTakenOver",
    )


ROWS: tuple[Fault, ...] = (
    _row("the web server's certificate is replaced by half a file", _broken, _renewed, "the files"),
    _row(
        "the web server's certificate gets the key of another one",
        _key_of_another,
        _renewed,
        "setting and files",
    ),
    _row("the key of a new certificate may not be read", _key_forbidden, _allowed, "setting and file"),
)
