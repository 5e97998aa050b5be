"""Budgets kept in Cloud Billing."""
