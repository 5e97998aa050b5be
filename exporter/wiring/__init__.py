"""From the configuration to objects: sources, budgets, attribution, remote write."""
