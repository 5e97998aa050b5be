"""Which source reads which account is kept once, and written only where it changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter.ledger.accounts import claim, claims
from exporter.ledger.charges.store import Ledger


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = Ledger(None)
    yield opened
    opened.close()


def test_an_account_that_is_kept_already_needs_no_write(ledger: Ledger) -> None:
    assert claim(ledger, "openai/a", "org-1", ["openai/b"]) is None
    commits = ledger.file.commits
    assert claim(ledger, "openai/a", "org-1", ["openai/b"]) is None
    assert claim(ledger, "openai/b", "org-1", ["openai/a"]) == "openai/a"
    assert ledger.file.commits == commits
    assert claims(ledger) == {"openai/a": "org-1"}


def test_another_account_of_a_source_takes_the_place_of_the_one_before(ledger: Ledger) -> None:
    claim(ledger, "openai/a", "org-1", ["openai/b"])
    commits = ledger.file.commits
    assert claim(ledger, "openai/a", "org-2", ["openai/b"]) is None
    assert ledger.file.commits == commits + 1
    assert claims(ledger) == {"openai/a": "org-2"}
    assert claim(ledger, "openai/b", "org-1", ["openai/a"]) is None
