"""The page at `/`: what is spent, on what, what changed, and whether the figures can be trusted."""
