"""An SQL literal is the text that it was made of, whatever that has in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.database import connect
from exporter.core.sql_texts import quoted


@pytest.mark.slow
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_any_text_comes_back_as_it_was(texts: list[str]) -> None:
    with connect() as connection:
        rows = connection.execute(f"SELECT {', '.join(map(quoted, texts))}").fetchall()
    assert rows == [tuple(texts)]


def test_a_path_is_its_text() -> None:
    assert quoted(Path("a folder") / "it's.csv") == "'a folder/it''s.csv'"
