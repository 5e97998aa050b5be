"""Bills of any provider in FOCUS files."""
