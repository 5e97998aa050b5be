"""The ledger: an embedded DuckDB file of charges. Idempotent, restart-safe, never double-counted."""
