"""Texts of others without characters that a terminal, a log or a mail could obey."""

from __future__ import annotations


def printable(text: str, instead: str = "?") -> str:
    """Return the text with `instead` in place of each character that cannot be printed."""
    return "".join(letter if letter.isprintable() else instead for letter in text)
