"""What errors of web APIs may quote: the cause of a failure, and what the server says, without secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from exporter.core.printable import shown_line

_MESSAGE_CHARACTERS: Final = 900
_SHARED_CHARACTERS: Final = 12
"""A word that shares so many characters in a row with a secret is taken for a part of it."""
_PUBLIC_HEADERS: Final = frozenset(
    {"accept", "anthropic-version", "content-type", "user-agent", "x-goog-api-client", "x-goog-user-project"}
)


def cause_of(error: Exception) -> str:
    """Return the innermost reason of a failed connection: the outer ones only name objects of the library."""
    inner: BaseException = error
    while True:
        causes = [getattr(inner, "reason", None), *inner.args]
        found = next((each for each in causes if isinstance(each, BaseException)), None)
        if found is None or found is inner:
            break
        inner = found
    text = getattr(inner, "strerror", None)
    if not text:
        last = str(inner).rpartition(": ")[2]
        text = last.partition("] ")[2] or last or type(inner).__name__
    return str(text).strip().rstrip(".")


def words_of(found: object) -> str:
    """Return what the server says in the JSON of an error, in one line; a web page is not quoted."""
    for name in ("detail", "error", "message", "detail"):
        if isinstance(found, dict):
            found = found.get(name, found)
    text = shown_line(" ".join(found.split())) if isinstance(found, str) else ""
    return f' ("{text}")' if text else ""


def secrets_in(headers: Mapping[str, str]) -> list[str]:
    """Return the words in the headers of a request that no text may quote."""
    return [
        word
        for name, value in headers.items()
        if name.lower() not in _PUBLIC_HEADERS
        for word in value.split()
        if len(word) > len("Bearer")
    ]


def without_secrets(secrets: Sequence[str], text: str) -> str:
    """Return the text at bounded length, without any secret or any word that holds a longer part of one."""
    for secret in secrets:
        text = text.replace(secret, "***")
        parts = {secret[at : at + _SHARED_CHARACTERS] for at in range(len(secret) - _SHARED_CHARACTERS + 1)}
        words = text.split(" ")
        text = " ".join("***" if any(part in word for part in parts) else word for word in words)
    return text if len(text) <= _MESSAGE_CHARACTERS else text[:_MESSAGE_CHARACTERS] + "…"
