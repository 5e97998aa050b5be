"""Refreshing in the background: the schedule, the intake, and the health of each source."""
