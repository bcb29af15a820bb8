"""GELU, an activation whose gate is the normal distribution; it alone needs SciPy."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import erfc

from harness.contracts import Array
from harness.numerics import sigmoid

ROOT, CUBIC = math.sqrt(2 / math.pi), 0.044715


@dataclass(frozen=True)
class GELU:
    """h = z Φ(z), h' = Φ(z) + z φ(z), with the normal distribution Φ and its density φ.

    After Hendrycks & Gimpel, 2016 (arXiv:1606.08415). With `approximate` "tanh" the gate is
    ½ (1 + tanh u) = σ(2u) instead of Φ, with u = √(2/π) (z + 0.044715 z³).
    """

    approximate: Literal["none", "tanh"] = "none"

    def __call__(self, z: Array) -> Array:
        return z * self._gate(z)

    def derivative(self, z: Array, h: Array) -> Array:
        gate = self._gate(z)
        if self.approximate == "tanh":
            return gate + h * (1 - gate) * (2 * ROOT * (1 + 3 * CUBIC * z * z))
        with np.errstate(under="ignore"):
            return gate + z * np.exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi))

    def _gate(self, z: Array) -> Array:
        if self.approximate == "tanh":
            return sigmoid(2 * ROOT * (z + CUBIC * z * z * z))
        return 0.5 * np.asarray(erfc(-math.sqrt(0.5) * z))  # 1 + erf would cancel far below 0
