"""Savings that the Recommender suggests."""
