"""The estimate of what is not billed yet, and its grades."""
