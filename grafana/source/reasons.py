"""The likeliest reasons why a panel is empty, and what to do; they are in the descriptions."""

from __future__ import annotations

from typing import Final

NO_NOWCAST: Final = "No estimate yet; the exporter is still learning from the bill"
NO_BILL: Final = "No bill has been read yet; see the board Spend exporter"
NO_BUDGETS: Final = "No budgets; add `budgets` to the configuration"
NO_HISTORY: Final = "No history; run `spend-exporter backfill`, and set `history.remote_write` to keep it"
NO_FINDINGS: Final = "No possible savings found"
NO_LIVE_USAGE: Final = "No live usage; turn on `gcp.live_usage` and set `gcp.project_ids`"
NO_REQUESTS: Final = "No requests in the last hour, or `gcp.live_usage` is off"
NO_LLM: Final = "No language model costs; add a source under `llm`, or none was used"
NO_PROXY: Final = "No proxy; add `llm.litellm` to the configuration"
NO_LABELS: Final = "No labels; add `label_costs` to the configuration"
NO_CATEGORIES: Final = "No categories; add `cost_attribution` to the configuration"
NO_SETTLED_DAYS: Final = "The bill does not have two settled days yet"
NO_GRADES: Final = "No day has both an estimate and a settled bill yet"
NOT_SCRAPED: Final = "Prometheus does not scrape the exporter"
NO_REMOTE_WRITE: Final = "No remote write"
NO_REPORTS: Final = "No reports; add `reports` to the configuration, or none was due yet"
