"""Spend Exporter: what a team spends, as Prometheus metrics."""

__version__ = "0.1.0"
