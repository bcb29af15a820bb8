"""Searches by Optuna: what to try next, and what is not worth going on with."""
