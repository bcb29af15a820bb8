"""The built-in optimizers: a gradient becomes a step. A run's weights are one row (R, P)."""
