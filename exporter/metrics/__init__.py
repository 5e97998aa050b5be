"""Every metric family declared once, and one builder for each theme."""
