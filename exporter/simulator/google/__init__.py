"""The Google Cloud side of the simulated company."""
