"""The billing export as Parquet, CSV or JSON Lines files."""
