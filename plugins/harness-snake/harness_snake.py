"""Snake, an activation for periodic data: a straight line with waves on it."""

from dataclasses import dataclass

import numpy as np

from harness.contracts import Array


@dataclass(frozen=True)
class Snake:
    """h = z + sin²(az) / a, after Ziyin et al., 2020 (arXiv:2006.08195)."""

    a: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.a < float("inf"):
            raise ValueError(f"a={self.a}: positive and finite")

    def __call__(self, z: Array) -> Array:
        return z + np.sin(self.a * z) ** 2 / self.a

    def derivative(self, z: Array, h: Array) -> Array:
        return 1 + np.sin(2 * self.a * z)
