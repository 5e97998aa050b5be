"""Every board is about the chosen exporters: each selector of the exporter's series names their jobs."""

from __future__ import annotations

import re

import pytest

from grafana.source.jobs import of_the_job
from tests.grafana.board_files import boards, expressions

BOARDS = boards()


@pytest.mark.parametrize(
    ("written", "limited"),
    [
        ("sum(spend_today_usd)", 'sum(spend_today_usd{job=~"$job"})'),
        ('spend_x_usd{provider="gcp"} > 0', 'spend_x_usd{job=~"$job", provider="gcp"} > 0'),
        ("rate(spend_x_total[5m] offset 1h)", 'rate(spend_x_total{job=~"$job"}[5m] offset 1h)'),
        ("provider:spend_x_usd:sum", 'provider:spend_x_usd:sum{job=~"$job"}'),
        ('ALERTS{alertname=~"Spend.+"}', 'ALERTS{job=~"$job", alertname=~"Spend.+"}'),
        ('spend_series_folded{metric="spend_x"}', 'spend_series_folded{job=~"$job", metric="spend_x"}'),
        # What was sent or loaded has a job only where the configuration says so.
        ("sum_over_time(spend_hourly_usd[1d])", 'sum_over_time(spend_hourly_usd{job=~"$job|"}[1d])'),
        ('spend_llm_daily_usd{model="a"}', 'spend_llm_daily_usd{job=~"$job|", model="a"}'),
        ("spend_daily_usd", 'spend_daily_usd{job=~"$job|"}'),
        ("up + process_resident_memory_bytes", "up + process_resident_memory_bytes"),
    ],
)
def test_selectors_of_the_exporters_own_series_are_limited(written: str, limited: str) -> None:
    assert of_the_job(written) == limited


@pytest.mark.parametrize("uid", sorted(BOARDS))
def test_no_query_of_a_board_adds_up_two_exporters_that_were_not_chosen(uid: str) -> None:
    found = list(expressions(BOARDS[uid]))
    assert len(found) > 5
    own = re.compile(
        r"(?<![\w:])((?:[a-z_]+:)?spend_[a-z_]+(?::\w+)?|ALERTS)(?![\w:])(?!\{job=~\"\$job\|?\")"
    )
    without = {name for title, expr in found for name in own.findall(expr) if title != "variable job"}
    assert without == set()
    [variable] = [each for each in BOARDS[uid]["templating"]["list"] if each["name"] == "job"]
    assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (True, True, ".*")
