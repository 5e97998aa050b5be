"""Objects in buckets: listed, copied to a bounded folder when they change, and read there like files."""
