"""Reports on a month, a week or a day: built from answers of the ledger, rendered, sent."""
