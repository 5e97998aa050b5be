"""What was used: counters and hourly amounts of live usage and of language models."""
