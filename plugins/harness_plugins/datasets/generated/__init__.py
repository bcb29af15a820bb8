"""Datasets drawn from a formula."""
