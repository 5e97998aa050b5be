"""Shared by every room: charges, meters, ownership, errors, back-off and secrets."""
