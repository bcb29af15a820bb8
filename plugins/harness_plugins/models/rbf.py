"""A net of radial basis functions: a sum of bumps whose places and widths are trained."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.contracts import Activation, Array, Arrays, Initializer, Uniform
from harness_plugins.models.mlp import over_ones, product
from harness_plugins.ranges import at_least


class Cache(NamedTuple):
    """The numbers of a forward pass that `backward` needs."""

    x: Array  # (R, features + 1, N), with ones
    centres: Array  # (R, units, features)
    sharpness: Array  # (R, units, 1)
    squares: Array  # (R, units, N), ‖x - c‖²
    bumps: Array  # (R, units + 1, N), h, and ones
    output: Array  # (R, units + 1, outputs), the last layer's weights


@dataclass(frozen=True)
class RBF:
    """ŷ = [h 1] w with h = e^-(β ‖x - c‖)², a Gaussian for each unit; it asks no activation.

    After Broomhead & Lowe, 1988 (Complex Systems 2). The centres c, at first ~ N(0, 1), and the
    sharpnesses β, at first such that β ‖x - c‖ is about 1 for x of that kind, are trained like w.
    """

    units: int = 16

    def __post_init__(self) -> None:
        at_least(1, units=self.units)

    def init(
        self, rng: np.random.Generator, initializer: Initializer, features: int, outputs: int
    ) -> Arrays:
        """Return c (units, features), β (units, 1), w (units + 1, outputs)."""
        centres = rng.normal(0, 1, (self.units, features))
        sharpness = np.full((self.units, 1), 1 / math.sqrt(2 * features))
        return [centres, sharpness, initializer(rng, self.units, outputs)]

    def forward(
        self, weights: Arrays, x: Array, activation: Activation, uniform: Uniform | None = None
    ) -> tuple[Array, Cache]:
        """Compute ‖x - c‖² = ‖x‖² + ‖c‖² - 2 c·x, so that a product of matrices does the work."""
        centres, sharpness, output = weights
        below = over_ones(x.mT)
        squares = -2 * product(centres, below[:, :-1])
        squares += np.square(below[:, :-1]).sum(axis=1, keepdims=True)
        squares += np.square(centres).sum(axis=2, keepdims=True)
        np.maximum(squares, 0, out=squares)  # for a rounded difference may be below it
        with np.errstate(under="ignore"):
            bumps = over_ones(np.exp(-np.square(sharpness) * squares))
        cache = Cache(below, centres, sharpness, squares, bumps, output)
        return (output.mT @ bumps).mT, cache

    def backward(self, cache: Cache, delta: Array) -> Arrays:
        """With g = dL/dh · h, return dL/dc = 2β² Σ g (x - c), dL/dβ = -2β Σ g ‖x - c‖²."""
        above = product(cache.output[:, :-1], delta.mT)
        above *= cache.bumps[:, :-1]
        sums = above @ cache.x.mT  # Σ g x, and in the column of the ones Σ g
        pull = sums[..., :-1] - cache.centres * sums[..., -1:]
        stretch = (above * cache.squares).sum(axis=2, keepdims=True)
        return [
            2 * np.square(cache.sharpness) * pull,
            -2 * cache.sharpness * stretch,
            cache.bumps @ delta,
        ]
