"""Families of samples to the bytes of a scrape."""
