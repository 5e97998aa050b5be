"""Names of others cannot command what shows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.printable import host_of, printable, shown_line, without_access


def test_characters_that_command_are_replaced_and_all_others_stay() -> None:
    assert printable("Größe \x1b[31m\u202e\n") == "Größe ?[31m??"
    assert printable("a\nb", " ") == "a b"


@given(st.text())
def test_what_is_returned_is_printable_and_as_long(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pass@host/a", "https://***@host/a"),
        ("http://user:p@ss:w/rd@host", "http://***@host"),
        ("postgres://u@h", "postgres://***@h"),
        ("at https://h/p?key=abc&page=2#x", "at https://h/p?key=***&page=2#x"),
        ("'https://h/?access_token=abc'", "'https://h/?access_token=***'"),
        ("/v1/x?api_key=abc failed", "/v1/x?api_key=*** failed"),
        ("https://hooks.slack.com/services/T/B/x.", "https://hooks.slack.com/services/***"),
        ("https://discord.com/api/webhooks/1/x", "https://discord.com/api/webhooks/***"),
        ("https://c.webhook.office.com/webhookb2/x", "https://c.webhook.office.com/webhookb2/***"),
        (
            "https://console.cloud.google.com/apis?project=7",
            "https://console.cloud.google.com/apis?project=7",
        ),
        ("write to ops@example.com", "write to ops@example.com"),
        ("key=value", "key=value"),
    ],
)
def test_addresses_lose_what_gives_access_and_keep_the_rest(text: str, shown: str) -> None:
    assert without_access(text) == shown


def test_a_line_that_is_shown_is_one_line() -> None:
    assert shown_line("a\nhttp://u:p@h\x1b[0m") == "a http://***@h?[0m"


def test_of_an_address_scheme_and_host_may_be_told() -> None:
    assert host_of("https://u:p@h:8443/services/x?token=y") == "https://h:8443"
