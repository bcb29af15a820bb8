"""Smooth activations that level off on one side or on both."""

from dataclasses import dataclass

import numpy as np

from harness.contracts import Array
from harness.numerics import sigmoid, softplus, tanh
from harness_plugins.ranges import positive

SCALE, ALPHA = 1.0507009873554804934, 1.6732632423543772848


@dataclass(frozen=True)
class Sigmoid:
    """h = σ(z) = 1 / (1 + e⁻ᶻ), h' = h (1 - h), after Rumelhart et al., 1986 (Nature 323)."""

    def __call__(self, z: Array, out: Array | None = None) -> Array:
        return sigmoid(z, out)

    def derivative(self, z: Array, h: Array) -> Array:
        slope = 1 - h
        return np.multiply(slope, h, out=slope)


@dataclass(frozen=True)
class Tanh:
    """h = tanh(z), h' = 1 - h², after LeCun et al., 1998 (Efficient BackProp)."""

    def __call__(self, z: Array, out: Array | None = None) -> Array:
        return tanh(z, out)

    def derivative(self, z: Array, h: Array) -> Array:
        square = h * h
        return np.subtract(1, square, out=square)


@dataclass(frozen=True)
class Softsign:
    """h = z / (1 + |z|), h' = 1 / (1 + |z|)², after Glorot & Bengio, 2010 (AISTATS)."""

    def __call__(self, z: Array) -> Array:
        return z / (1 + np.maximum(z, -z))  # np.abs would lose the imaginary part of z + iε

    def derivative(self, z: Array, h: Array) -> Array:
        return (1 + np.abs(z)) ** -2


@dataclass(frozen=True)
class ELU:
    """h = z where z > 0, else α (eᶻ - 1), after Clevert et al., 2016 (arXiv:1511.07289)."""

    alpha: float = 1.0

    def __post_init__(self) -> None:
        positive(alpha=self.alpha)

    def __call__(self, z: Array) -> Array:
        return np.where(z > 0, z, self.alpha * below(np.expm1, z))

    def derivative(self, z: Array, h: Array) -> Array:
        return np.where(z > 0, z.dtype.type(1), self.alpha * below(np.exp, z))


@dataclass(frozen=True)
class SELU:
    """h = λ z where z > 0, else λα (eᶻ - 1), with which activity keeps mean 0 and variance 1.

    λ = 1.0507…, α = 1.6732…, after Klambauer et al., 2017 (arXiv:1706.02515).
    """

    def __call__(self, z: Array) -> Array:
        return np.where(z > 0, SCALE * z, SCALE * ALPHA * below(np.expm1, z))

    def derivative(self, z: Array, h: Array) -> Array:
        return np.where(z > 0, z.dtype.type(SCALE), SCALE * ALPHA * below(np.exp, z))


@dataclass(frozen=True)
class Softplus:
    """h = log(1 + e^βz) / β, h' = σ(βz), after Dugas et al., 2001 (NIPS 13)."""

    beta: float = 1.0

    def __post_init__(self) -> None:
        positive(beta=self.beta)

    def __call__(self, z: Array) -> Array:
        return softplus(self.beta * z) / self.beta

    def derivative(self, z: Array, h: Array) -> Array:
        return sigmoid(self.beta * z)


def below(function: np.ufunc, z: Array) -> Array:
    """Return function(min(z, 0)), so that nothing overflows."""
    with np.errstate(under="ignore"):
        return np.asarray(function(np.minimum(z, 0)))
