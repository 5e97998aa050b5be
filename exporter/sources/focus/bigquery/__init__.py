"""Bills in FOCUS that lie in BigQuery: tables of any provider, and queries that give FOCUS columns."""
