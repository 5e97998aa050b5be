"""A small world for the demo and for tests: it writes a billing export as Google would."""
