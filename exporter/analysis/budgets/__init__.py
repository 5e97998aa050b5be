"""How a budget stands."""
