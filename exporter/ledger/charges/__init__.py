"""What was billed: replacing partitions and reading one consistent state."""
