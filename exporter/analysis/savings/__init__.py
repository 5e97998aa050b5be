"""Possible savings."""
