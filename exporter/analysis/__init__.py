"""Pure functions from ledger rows to numbers: no clock, no network, no configuration file."""
