"""Nets: their weights, forward pass and backpropagation."""
