"""Activations with a gate that z itself opens: h = z · gate(z)."""

from dataclasses import dataclass

import numpy as np

from harness.contracts import Array
from harness.numerics import sigmoid
from harness_plugins.ranges import finite


@dataclass(frozen=True)
class Swish:
    """h = z σ(βz), h' = σ(βz) + βh (1 - σ(βz)), a smooth ReLU.

    After Ramachandran et al., 2017 (arXiv:1710.05941).
    """

    beta: float = 1.0

    def __post_init__(self) -> None:
        finite(beta=self.beta)

    def __call__(self, z: Array) -> Array:
        return z * sigmoid(self.beta * z)

    def derivative(self, z: Array, h: Array) -> Array:
        gate = sigmoid(self.beta * z)
        return gate + self.beta * h * (1 - gate)


@dataclass(frozen=True)
class Mish:
    """h = z tanh(log(1 + eᶻ)), after Misra, 2019 (arXiv:1908.08681).

    With e = eᶻ and q = e (e + 2) the gate is q / (q + 2), and its slope 4 e (e + 1) / (q + 2)².
    """

    def __call__(self, z: Array) -> Array:
        _, q = self._powers(z)
        return z * (q / (q + 2))

    def derivative(self, z: Array, h: Array) -> Array:
        e, q = self._powers(z)
        return q / (q + 2) + 4 * z * (e / (q + 2)) * ((e + 1) / (q + 2))

    def _powers(self, z: Array) -> tuple[Array, Array]:
        with np.errstate(under="ignore"):
            e = np.exp(np.minimum(z, 30))  # the gate is 1 long before e² overflows
        return e, e * (e + 2)


@dataclass(frozen=True)
class Hardswish:
    """h = z min(max(z + 3, 0), 6) / 6, a swish of straight gates.

    After Howard et al., 2019 (arXiv:1905.02244). At its kinks h' is that of the outer side.
    """

    def __call__(self, z: Array) -> Array:
        return z * (np.clip(z + 3, 0, 6) / 6)

    def derivative(self, z: Array, h: Array) -> Array:
        inner = (z > -3) & (z < 3)
        return np.where(inner, z / 3 + 0.5, z > 0).astype(z.dtype)
