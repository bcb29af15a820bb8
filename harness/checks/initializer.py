"""Checks of initializers: they return a bias row, and no larger weights for wider layers."""

from itertools import pairwise
from typing import Any

import numpy as np

from harness.checks.kit import Call, Case, Kind, expect, expect_array, expect_like
from harness.contracts import Array

HEADING = "Initializers"


def use(initializer: Any, case: Case, call: Call) -> dict[str, Array]:
    weights = call(initializer, case.rng("weights"), 5, 4)
    return {"weights": expect_array("__call__(rng, 5, 4)", weights, (6, 4), HEADING)}


KIND = Kind("initializer", use, HEADING)


def check_initializer_has_a_row_for_the_bias(initializer: Any) -> None:
    for fan_in, fan_out in ((1, 1), (1, 7), (5, 1), (6, 6), (12, 5)):
        weights = initializer(np.random.default_rng(0), fan_in, fan_out)
        what = f"weights for fan_in={fan_in}, fan_out={fan_out}"
        expect_like(what, weights, (fan_in + 1, fan_out), float, HEADING)
        expect(np.isfinite(weights).all(), f"finite {what}", weights, HEADING)


def check_initializer_does_not_grow_with_fan_in(initializer: Any) -> None:
    """Check the spread over several seeds, so that no single seed decides."""
    spread = []
    for fan_in in (16, 64, 256):
        drawn = [initializer(np.random.default_rng(seed), fan_in, 32)[:-1] for seed in range(8)]
        spread.append(float(np.sqrt(np.mean(np.square(drawn)))))
    good = all(wide <= 1.1 * narrow for narrow, wide in pairwise(spread))
    actual = ", ".join(f"{each:.4g}" for each in spread)
    expect(good, "weights no larger for fan_in 16, 64, 256", actual, HEADING)
