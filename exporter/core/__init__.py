"""What every room shares: charges, meters, ownership, errors, back-off and secrets."""
