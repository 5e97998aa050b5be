"""Pictures of the boards without Grafana: `python -m grafana.pictures` draws them from a running Prometheus.

The panels' own queries, layout, units and colours; only the drawing is not Grafana's.
"""
