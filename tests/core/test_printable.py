"""Names of others cannot command what shows them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.core.printable import printable


def test_characters_that_command_are_replaced_and_all_others_stay() -> None:
    assert printable("Größe \x1b[31m\u202e\n") == "Größe ?[31m??"
    assert printable("a\nb", " ") == "a b"


@given(st.text())
def test_what_is_returned_is_printable_and_as_long(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
