"""Hydra plugins of harness: a config source, a launcher of stacks, a grid and a search."""
