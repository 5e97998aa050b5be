"""Logs of calls to language models."""
