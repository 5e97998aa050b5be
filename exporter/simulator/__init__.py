"""A small world that is the same for the same seed: what a company uses, and how its bills tell of it."""
