"""Estimates of the present day and month, made from one state of the ledger."""
