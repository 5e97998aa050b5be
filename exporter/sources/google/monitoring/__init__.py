"""Live usage from Cloud Monitoring."""
