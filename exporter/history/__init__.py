"""What the exporter writes elsewhere for good: the JSON Lines log and remote write."""
