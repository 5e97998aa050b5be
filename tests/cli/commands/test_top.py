"""`spend-exporter top` in terminals beside a real server: sizes, colours, keys, signals, lost connections."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.analysis.unit_cost.unit_cost import CloudRunHour
from exporter.cli.main import main
from exporter.metrics.snapshot import Snapshot
from exporter.sources.status import SourceStatus
from exporter.web.server import Server
from tests.client.test_client import secured
from tests.metrics.test_summary import NOW, full_snapshot
from tests.support.outlooks import outlook, steady
from tests.support.terminal import ALTERNATE, CURSOR_HIDDEN, CURSOR_SHOWN, USUAL, Terminal, terminal

pytestmark = pytest.mark.slow

LOOPBACK = ("127.0.0.1", 0)
COLOUR = re.compile(rb"\x1b\[[0-9;]*(?:3[0-7]|4[0-7]|[34]8;)[0-9;]*m")


def busy_snapshot() -> Snapshot:
    """Two budgets above their limits, thirty services, one of them hostile, and a source that fails."""
    base = full_snapshot()
    names = {f"Service {number:02d}": steady(0.1 + number / 10) for number in range(29)}
    gcp = outlook({**names, "\x1b[31m[bold]Evil\x07 ünïcode": steady(9.0)})
    failing = SourceStatus("openai", False, NOW, "the key is not accepted: check llm.openai", 0, ())
    return replace(
        base,
        outlooks=(gcp,),
        cloud_run=CloudRunHour(0.5, 1000.0, cpu_seconds=250.0, cold_starts=20.0),
        sources=(*base.sources, failing),
    )


@pytest.fixture
def server() -> Iterator[Server]:
    made = busy_snapshot()
    with Server(LOOPBACK, lambda: made, stream_interval_seconds=0.1, now=lambda: NOW) as running:
        yield running


def is_whole(text: str) -> bool:
    return all(
        word in text
        for word in ("Today", "Budgets", "Services", "Cloud Run", "Activity", "Sources", "q quits")
    )


def is_drawn(text: str, width: int) -> bool:
    """Whether the first and the last line are those of a view of this width: an older one may come first."""
    first, *_, last = text.splitlines()
    return first.startswith("Spend") and len(first.rstrip()) == width and last.startswith("q quits")


def restored(screen: Terminal) -> bool:
    """The usual screen, a cursor, and the modes of before."""
    return (
        screen.written.rindex(USUAL) > screen.written.rindex(ALTERNATE)
        and screen.written.rindex(CURSOR_SHOWN) > screen.written.rindex(CURSOR_HIDDEN)
        and screen.attributes() == screen.before
    )


def test_everything_fits_into_80_by_24_and_q_quits(server: Server) -> None:
    with terminal("top", "--url", server.url) as screen:
        text = screen.shows(is_whole, "whole view")
        lines = text.splitlines()
        assert len(lines) == 24
        assert lines[0].startswith("Spend Exporter")
        assert lines[0].rstrip().endswith("live")
        assert lines[-1].startswith("q quits")
        assert "billed" in lines[1]
        assert "estimated" in lines[1]
        assert "partial, from 21 Nov" in text
        assert "$500.00 per million requests" in text
        assert "0.25 vCPU s per request" in text
        assert "the key is not accepted" in text
        assert "27 more" in text or "more, $" in text
        screen.press(b"q")
        assert screen.end() == 0
        assert restored(screen)


def test_it_follows_the_size_of_the_terminal(server: Server) -> None:
    with terminal("top", "--url", server.url) as screen:
        screen.shows(is_whole, "whole view")
        screen.resize(160, 40)
        wide = screen.shows(lambda text: is_whole(text) and is_drawn(text, 160), "two columns").splitlines()
        assert "│" in "".join(wide)
        assert len(wide) == 40
        assert wide[-1].startswith("q quits")
        assert wide[0].rstrip().endswith("live")
        assert len(wide[0].rstrip()) == 160
        screen.resize(40, 10)
        small = screen.shows(lambda text: "──" in text and is_drawn(text, 40), "small view").splitlines()
        assert small[0].startswith("Spend")
        assert "".join(small).count("──") > 0
        assert len(small) == 10
        screen.press(b"Q")
        assert screen.end() == 0


@pytest.mark.parametrize("size", [(1, 1), (10, 3), (20, 50), (300, 5)])
def test_no_size_is_too_small(server: Server, size: tuple[int, int]) -> None:
    with terminal("top", "--url", server.url, size=size) as screen:
        screen.shows(lambda _: CURSOR_HIDDEN in screen.written, "view")
        screen.press(b"q")
        assert screen.end() == 0
        assert restored(screen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_restored_after_a_signal(server: Server, number: signal.Signals) -> None:
    with terminal("top", "--url", server.url) as screen:
        screen.shows(is_whole, "whole view")
        screen.process.send_signal(number)
        assert screen.end() == 128 + number
        assert restored(screen)
        assert b"Traceback" not in screen.written


def test_ctrl_c_is_a_key_that_quits(server: Server) -> None:
    with terminal("top", "--url", server.url) as screen:
        screen.shows(is_whole, "whole view")
        screen.press(b"\x03")
        assert screen.end() == 130
        assert restored(screen)


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(server: Server) -> None:
    with terminal("top", "--url", server.url) as screen:
        screen.shows(is_whole, "whole view")
        screen.press(b"\x1a")
        screen.shows(lambda _: USUAL in screen.written and screen.is_stopped(), "pause")
        assert restored(screen)
        screen.process.send_signal(signal.SIGCONT)
        screen.shows(lambda text: screen.written.rindex(ALTERNATE) > screen.written.rindex(USUAL), "view")
        screen.shows(is_whole, "whole view")
        screen.press(b"q")
        assert screen.end() == 0
        assert restored(screen)


def test_there_is_colour_unless_it_is_unwanted(server: Server) -> None:
    with terminal("top", "--url", server.url) as screen:
        screen.shows(is_whole, "whole view")
        assert COLOUR.search(screen.written)
    with terminal("top", "--url", server.url, env={"NO_COLOR": "1"}) as screen:
        screen.shows(is_whole, "whole view")
        assert not COLOUR.search(screen.written)


def test_a_dumb_terminal_gets_everything_once_in_plain_text(server: Server) -> None:
    with terminal("top", "--url", server.url, env={"TERM": "dumb"}) as screen:
        assert screen.end() == 0
        assert b"\x1b" not in screen.written
        assert b"Service 28" in screen.written


def test_a_terminal_without_unicode_gets_ascii(server: Server) -> None:
    plain = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    with terminal("top", "--url", server.url, env=plain) as screen:
        text = screen.shows(is_whole, "whole view")
        assert text.isascii()
        assert "####" in text
        assert "::::" in text


def test_names_of_a_bill_cannot_command_the_terminal(server: Server) -> None:
    with terminal("top", "--url", server.url) as screen:
        text = screen.shows(is_whole, "whole view")
        assert "?[31m[bold]Evil? ünïcode" in text
        assert b"\x1b[31m[bold]" not in screen.written
        assert b"\x07" not in screen.written


def test_after_a_lost_connection_the_last_figures_stay_and_it_connects_again() -> None:
    made = busy_snapshot()
    first = Server(LOOPBACK, lambda: made, stream_interval_seconds=0.1, now=lambda: NOW)
    first.start()
    try:
        with terminal("top", "--url", first.url) as screen:
            screen.shows(is_whole, "whole view")
            first.stop()
            text = screen.shows(lambda text: "no connection" in text, "lost connection")
            assert "Service 28" in text
            assert re.search(r"no connection, \d+ s old", text)
            calm = replace(made, outlooks=(outlook({"Afterwards": steady(1.0)}),))
            with Server(first.address, lambda: calm, stream_interval_seconds=0.1, now=lambda: NOW):
                screen.shows(lambda text: "live" in text and "Afterwards" in text, "new figures")
                screen.press(b"q")
                assert screen.end() == 0
    finally:
        first.stop()


def test_once_prints_everything_for_scripts(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--url", server.url, "--once"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert [f"Service {number:02d}" in printed for number in range(29)] == [True] * 29
    assert "q quits" not in printed


def test_nobody_there_is_trouble_and_a_wrong_address_is_wrong_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["top", "--url", "http://127.0.0.1:9"]) == 1
    assert "no exporter answers at http://127.0.0.1:9" in capsys.readouterr().err
    assert main(["top", "--url", "127.0.0.1:9"]) == 2
    assert "--url: write the address with its scheme" in capsys.readouterr().err


def test_it_finds_the_exporter_of_a_configuration_with_users_and_tls(tmp_path: Path) -> None:
    web_config, ca_file = secured(tmp_path)
    password = tmp_path / "password"
    password.write_text("secret\n")
    with Server(LOOPBACK, busy_snapshot, web_config, stream_interval_seconds=0.1, now=lambda: NOW) as running:
        url = running.url.replace("127.0.0.1", "localhost")
        access = ["--user", "ann", "--password-file", str(password), "--ca-file", str(ca_file)]
        with terminal("top", "--url", url, *access) as screen:
            screen.shows(is_whole, "whole view")
            screen.press(b"q")
            assert screen.end() == 0
        assert main(["top", "--url", url, "--once", "--ca-file", str(ca_file)]) == 1


def test_the_picture_is_the_view_as_svg(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LINES", "30")
    assert main(["top", "--url", server.url, "--svg", str(tmp_path / "top.svg")]) == 0
    drawn = (tmp_path / "top.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert "Service&#160;28" in drawn
    assert "@font-face" not in drawn
