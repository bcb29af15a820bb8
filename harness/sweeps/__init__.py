"""Sweeps: planned, grouped into stacks, carried out, summed up."""
