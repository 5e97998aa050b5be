"""Columns of the billing export, and the SQL that makes charges of them."""
