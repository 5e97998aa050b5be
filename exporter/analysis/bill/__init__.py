"""What the bill says: billing days and months, windows, folding, spikes and attribution."""
