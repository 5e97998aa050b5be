"""Every metric family, declared once, and one builder per theme."""
