"""Estimates in a process of their own: the bill never waits for them, and never shares their memory."""
