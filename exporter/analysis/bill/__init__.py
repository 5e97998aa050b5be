"""The bill: billing days and months, windows, folding, spikes and attribution."""
