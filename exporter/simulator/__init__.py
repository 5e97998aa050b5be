"""A small simulated company, the same for the same seed: what it uses, and how its bills report it."""
