"""Texts of others as they may be shown: without what a terminal or a log could obey, and without secrets."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_HIDDEN: Final = "***"

_USER: Final = re.compile(r"(://)[^\s\"'<>]*@")
_PARAMETER: Final = re.compile(
    r"([?&;][^=&;\s\"'<>]*(?:key|token|secret|passw|pwd|sig|auth|credential|code)[^=&;\s\"'<>]*=)[^&\s\"'<>]+",
    re.IGNORECASE,
)
_HOOK: Final = re.compile(
    r"(://[^\s\"'<>]*?/(?:web-?hook\w*|hooks|services|workflows|triggers)/)[^\s\"'<>]+", re.IGNORECASE
)
"""Slack, Discord, Teams and others put the secret of a webhook into its path."""


def printable(text: str, instead: str = "?") -> str:
    """Return the text with `instead` in place of each character that cannot be printed."""
    return "".join(letter if letter.isprintable() else instead for letter in text)


def shown_line(text: str) -> str:
    """Return the text as one printable line, without the secrets of the addresses in it."""
    return printable(" ".join(without_access(text).split("\n")))


def without_access(text: str) -> str:
    """Return the text without users, passwords, tokens and keys in the addresses that it quotes.

    A last resort: texts of our own name a host at most.
    """
    if "://" not in text and "=" not in text:
        return text
    text = _USER.sub(rf"\1{_HIDDEN}@", text)
    text = _PARAMETER.sub(rf"\1{_HIDDEN}", text)
    return _HOOK.sub(rf"\1{_HIDDEN}", text)


def host_of(url: str) -> str:
    """Return scheme, host and port of an address: what a text may say of it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
