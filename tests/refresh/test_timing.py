"""What the log says of a refresh that has ended."""

from __future__ import annotations

import pytest

from exporter.refresh.timing import use_text
from exporter.sources.base import RefreshTally


@pytest.mark.parametrize(
    ("tally", "text"),
    [
        (RefreshTally(), ""),
        (RefreshTally(requests=4), ", 4 requests"),
        (RefreshTally(requests=2, billed_bytes=20 * 2**20), ", 2 requests, 20 MiB billed"),
        (RefreshTally(requests=1200, series_returned=3400), ", 1,200 requests, 3,400 series"),
    ],
)
def test_requests_billed_bytes_and_series_are_named_where_there_are_any(
    tally: RefreshTally, text: str
) -> None:
    assert use_text(tally) == text
