"""Usage reports in the shapes that admin APIs give: every token at its own price, or counted as unpriced."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.llm_cases import outcome

ESTIMATED, UNPRICED = "spend_llm_estimated_usd_total", "spend_llm_unpriced_tokens_total"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "model", "usd", "unpriced"),
    [
        # 100k text and 900k sound in, 20k and 180k out, at 4, 32, 16 and 64 $ a million.
        ("30-openai-audio", "gpt-realtime-2025-08-28", 41.04, 0),
        # Ordinary three times, once x 1.1 for US only, once x 1.1 x 6 for fast mode.
        ("33-anthropic", "claude-opus-4-6", 80.25, 0),
        ("33-anthropic", "claude-sonnet-4-5", 8.25, 0),
        # Half for the batch; the five other tiers have no known price.
        ("33-anthropic", "claude-haiku-4-5-20251001", 0.5, 5_000_000),
        ("58-geo-us-only", "claude-opus-5-5", 4.4, 0),
    ],
)
def test_each_token_is_priced_under_the_terms_of_its_call(
    tmp_path: Path, case: str, model: str, usd: float, unpriced: float
) -> None:
    found = outcome(case, tmp_path)
    assert found.total(ESTIMATED, model=model) == pytest.approx(usd)
    assert found.total(UNPRICED, model=model) == unpriced
    assert found.reasons == {}


@pytest.mark.slow
def test_a_fee_beside_tokens_is_counted_as_unpriced(tmp_path: Path) -> None:
    found = outcome("33-anthropic", tmp_path)
    searches = found.sums("spend_llm_unpriced_fees_total", "model", "fee")
    assert searches == {("claude-opus-4-6", "web_searches"): 4000.0}
