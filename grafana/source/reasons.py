"""What a panel says when it has nothing to show: why, and what to do."""

from __future__ import annotations

from typing import Final

NO_NOWCAST: Final = "No estimate yet: the exporter is still learning from the bill"
NO_BILL: Final = "No bill read yet: see the board Spend exporter"
NO_BUDGETS: Final = "No budget: add `budgets` to the configuration"
NO_HISTORY: Final = "No history here: `spend-exporter backfill` loads it, `history.remote_write` keeps it"
NO_FINDINGS: Final = "Nothing to save found"
NO_LIVE_USAGE: Final = "No live usage: turn on `gcp.cloud_run` and name `gcp.project_ids`"
NO_REQUESTS: Final = "No requests in the last hour, or `gcp.cloud_run` is off"
NO_LLM: Final = "No language models: add a source under `llm`, or nothing was used"
NO_PROXY: Final = "No proxy: add `llm.litellm` to the configuration"
NO_LABELS: Final = "No labels: add `label_costs` to the configuration"
NO_CATEGORIES: Final = "No categories: add `cost_attribution` to the configuration"
NO_SETTLED_DAYS: Final = "No two settled days of bill yet"
NO_GRADES: Final = "No day is both estimated and settled yet"
NOT_SCRAPED: Final = "Prometheus does not scrape the exporter"
