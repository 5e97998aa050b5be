"""Secrets by file or environment variable: replaced while running, reported when missing, never shown."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from exporter.core.errors import SourceError
from exporter.core.secrets import secret_reader


def test_a_file_is_read_again_each_time_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    file.write_text("sk-one\n")
    read = secret_reader("llm.openai", file, None, {})
    assert read() == "sk-one"
    file.write_text("sk-two")
    assert read() == "sk-two"


def test_a_variable_is_read_from_the_environment() -> None:
    environment = {"ADMIN_KEY": "sk-one "}
    read = secret_reader("llm.openai", None, "ADMIN_KEY", environment)
    assert read() == "sk-one"
    assert "sk-one" not in repr(read)


def test_a_password_may_have_spaces_within_and_a_key_may_not(tmp_path: Path) -> None:
    file = tmp_path / "mail.password"
    file.write_text("abcd efgh ijkl mnop\n")
    assert secret_reader("mail", file, None, {}, spaces=True)() == "abcd efgh ijkl mnop"
    assert secret_reader("mail", None, "PASSWORD", {"PASSWORD": "a b\n"}, spaces=True)() == "a b"
    for broken in ("one\ntwo\n", "tab\there"):
        file.write_text(broken)
        with pytest.raises(SourceError, match="contains more than a key"):
            secret_reader("mail", file, None, {}, spaces=True)()
    with pytest.raises(SourceError, match="contains more than a key"):
        secret_reader("llm.openai", None, "KEY", {"KEY": "a b"})()


@pytest.mark.parametrize(
    "contents", [None, b"", b" \n", b"sk-hidden\nsk-hidden2", b"\xff\xfe", "sk-hid\u00e9den".encode()]
)
def test_what_is_no_key_is_reported_with_its_place_and_without_its_text(
    tmp_path: Path, contents: bytes | None
) -> None:
    file = tmp_path / "admin.key"
    if contents is not None:
        file.write_bytes(contents)
    with pytest.raises(SourceError, match=r"llm\.openai: the key file .*admin\.key") as caught:
        secret_reader("llm.openai", file, None, {})()
    assert caught.value.reason == "no_credentials"
    assert "sk-hid" not in "".join(traceback.format_exception(caught.value))


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(SourceError, match="environment variable ADMIN_KEY is not set"):
        secret_reader("llm.openai", None, "ADMIN_KEY", {})()
