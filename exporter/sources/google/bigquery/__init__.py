"""The billing export in BigQuery."""
