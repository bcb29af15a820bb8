"""Results made by hand, for the tests of figures: curves of every shape."""

import numpy as np

from harness.checks.sample_results import FAILED, classification, curve, net, regression, trained

__all__ = ["CURVES", "FAILED", "classification", "curve", "net", "regression", "trained"]

CURVES = {
    "linear": {"train/loss": curve(), "val/loss": curve(floor=0.05)},
    "logarithmic": {"train/loss": curve(floor=1e-6)},
    "one point": {"train/loss": ([0], [0.5])},
    "few points": {"val/loss": ([0, 1, 2], [3.0, 2.0, 2.5])},
    "negative": {"train/loss": ([0, 10], [-1.0, -5000.0])},
    "constant": {"train/loss": ([0, 10], [0.693, 0.693])},
    "zeros": {"train/loss": ([0, 10], [0.0, 0.0])},
    "enormous": {"train/loss": ([0, 1, 2, 3], [-1e199, 1e199, 1.7e308, np.inf])},
    "tiny": {"train/loss": ([0, 10], [5e-324, 1e-320])},
    "long": {"train/loss": ([0, 1234567], [1.0, 0.1])},
}
