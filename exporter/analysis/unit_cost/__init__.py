"""Prices of usage: learnt rates, list prices and cost per unit."""
