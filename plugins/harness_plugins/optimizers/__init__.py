"""The built-in optimizers: how a gradient becomes a step. A run's weights are one row (R, P)."""
