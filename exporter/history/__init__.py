"""What leaves the exporter for good: the JSON Lines log and remote write."""
