"""What could be saved."""
