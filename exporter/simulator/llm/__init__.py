"""The language models that the simulated company uses."""
