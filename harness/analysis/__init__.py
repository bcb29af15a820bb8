"""Interpret runs: rank them, compare them, give advice, and make results for people."""
