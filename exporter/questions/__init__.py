"""Questions to the ledger: what was spent, when and on what, and why it changed."""
