"""Google bills as people have them: each input shows its right value, or says what is wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.support.cases import copied_case, shown
from tests.support.exposed import by

NOW = datetime(2026, 11, 25, 20, 10, tzinfo=UTC)


def test_an_export_that_became_known_within_the_current_hour_is_shown(tmp_path: Path) -> None:
    config = copied_case("gcp/93-gcp-files-first-export-this-hour", tmp_path)
    file = config.with_name("e.jsonl")
    file.write_text(file.read_text().replace("2026-11-25T19:16:41.156272", "2026-11-25T20:05:41.156272"))

    found = shown(config, NOW)

    assert by(found["spend_month_to_date_usd"], "service_name") == {("Vertex AI",): 200.0}
    assert by(found["spend_figure_success"], "figure")[("spikes",)] == 1
