"""Pictures of boards, taken by a real browser from a small fake Grafana on a loopback socket."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest
from PIL import Image

from grafana.screenshots import BROWSERS, main
from grafana.source.links import TITLES
from tests.fakes.web_api import Asked, Reply, WebApi

PAGE = (
    b"<body style='margin:0'><div style='height:100px;background:#123456'></div><h1></h1>"
    b"<script>fetch('/api/ds/query', {method: 'POST', body: '{\"queries\": []}'})"
    b".then(answer => answer.json()).then(found => document.querySelector('h1').textContent = found.text)"
    b"</script>"
)
LOGIN = "Basic " + base64.b64encode(b"viewer:wv-8413").decode()

needs_browser = pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no Chromium is installed")


def grafana(asked: Asked, *, without: str = "", page: bytes = PAGE) -> Reply:
    if asked.path == "/api/search":
        return Reply(body=[{"uid": uid, "type": "dash-db"} for uid in TITLES if uid != without])
    if asked.path == "/api/ds/query":
        return Reply(body={"text": "1,234 dollars " * 20})
    return Reply(body=page, headers={"Content-Type": "text/html"})


def behind_a_login(asked: Asked) -> Reply:
    return grafana(asked) if asked.headers.get("Authorization") == LOGIN else Reply(401)


@pytest.fixture
def no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAFANA_USER", raising=False)
    monkeypatch.delenv("GRAFANA_PASSWORD", raising=False)


@pytest.fixture
def some_program(tmp_path: Path) -> str:
    """A program that stands for a browser and makes no picture."""
    program = tmp_path / "browser"
    program.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)


@pytest.mark.slow
@pytest.mark.usefixtures("no_login")
@needs_browser
def test_every_board_becomes_a_picture_with_the_height_of_the_board(tmp_path: Path) -> None:
    with WebApi(grafana) as api:
        assert main(["--grafana", f"{api.address}/", "--width", "700", "--out", str(tmp_path / "new")]) == 0
        queried = api.asked("/api/ds/query")
        shown = [each for each in api.requests if each.path.startswith("/d/")]
    assert {each.path.removeprefix("/d/") for each in shown} == set(TITLES)
    assert all(each.one("theme") == "light" for each in shown)
    assert len(queried) == len(TITLES)
    heights = set()
    for uid in TITLES:
        with Image.open(tmp_path / "new" / f"{uid}.png") as picture:
            colours = picture.convert("RGB")
        assert colours.getpixel((350, 50)) == (0x12, 0x34, 0x56)
        text = colours.crop((0, 100, 700, 300)).getextrema()
        assert text == ((0, 255),) * 3, "the picture was taken before the page had drawn its data"
        assert colours.width == 700
        heights.add(colours.height)
    assert min(heights) > 1000
    assert len(heights) == len(TITLES)


@pytest.mark.slow
@needs_browser
def test_the_login_from_the_environment_is_sent_with_every_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRAFANA_USER", "viewer")
    monkeypatch.setenv("GRAFANA_PASSWORD", "wv-8413")
    with WebApi(behind_a_login) as api:
        assert main(["--grafana", api.address, "--out", str(tmp_path)]) == 0
        assert {each.headers.get("Authorization") for each in api.requests} == {LOGIN}
        assert len(api.asked("/api/ds/query")) == len(TITLES)
    written = capfd.readouterr()
    assert "wv-8413" not in written.out + written.err


@pytest.mark.usefixtures("no_login")
@needs_browser
def test_an_empty_page_is_an_error_and_makes_no_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with WebApi(lambda asked: grafana(asked, page=b"<body></body>")) as api:
        assert main(["--grafana", api.address, "--out", str(tmp_path)]) == 1
    assert "stayed empty" in capsys.readouterr().err
    assert list(tmp_path.glob("*.png")) == []


@pytest.mark.usefixtures("no_login")
def test_a_missing_browser_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--chromium", str(tmp_path / "none")]) == 1
    assert f"{tmp_path}/none not found; install Chromium" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([]) == 1
    assert "chromium, chromium-browser, google-chrome not found" in capsys.readouterr().err


@pytest.mark.usefixtures("no_login")
def test_a_grafana_that_does_not_answer_is_an_error_that_says_what_to_do(
    some_program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with WebApi(grafana) as api:
        address = api.address
    assert main(["--grafana", address, "--chromium", some_program]) == 1
    error = capsys.readouterr().err
    assert f"no Grafana answers at {address}" in error
    assert "docker compose up" in error


@pytest.mark.usefixtures("no_login")
def test_another_server_at_the_address_is_an_error(
    some_program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with WebApi(lambda _: Reply(404)) as api:
        assert main(["--grafana", api.address, "--chromium", some_program]) == 1
    assert "no Grafana answers" in capsys.readouterr().err


@pytest.mark.usefixtures("no_login")
def test_a_missing_board_is_named(some_program: str, capsys: pytest.CaptureFixture[str]) -> None:
    with WebApi(lambda asked: grafana(asked, without="spend-llm")) as api:
        assert main(["--grafana", api.address, "--chromium", some_program]) == 1
    error = capsys.readouterr().err
    assert "does not have: Spend on language models (spend-llm). Provision grafana/dashboards" in error


@pytest.mark.usefixtures("no_login")
def test_a_grafana_that_wants_a_login_says_which_variables_to_set(
    some_program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with WebApi(behind_a_login) as api:
        assert main(["--grafana", api.address, "--chromium", some_program]) == 1
    assert "set GRAFANA_USER and GRAFANA_PASSWORD" in capsys.readouterr().err


@pytest.mark.usefixtures("no_login")
def test_a_password_in_the_address_is_refused_and_not_repeated(
    some_program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "http://viewer:wv-8413@localhost:3000"
    assert main(["--grafana", address, "--chromium", some_program]) == 1
    error = capsys.readouterr().err
    assert "GRAFANA_PASSWORD" in error
    assert "wv-8413" not in error


@pytest.mark.usefixtures("no_login")
def test_a_browser_that_makes_no_picture_is_an_error(
    tmp_path: Path, some_program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with WebApi(grafana) as api:
        arguments = ["--grafana", api.address, "--chromium", some_program, "--out", str(tmp_path)]
        assert main(arguments) == 1
    assert "made no picture of" in capsys.readouterr().err
