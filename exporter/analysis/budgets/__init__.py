"""The state of a budget."""
