"""Activations: the bend in each unit, and its slope for the way back."""

import math
from dataclasses import dataclass

import numpy as np

from harness.contracts import Array
from harness.numerics import sigmoid, tanh


@dataclass(frozen=True)
class Identity:
    """h = z. A net of these is linear, however deep."""

    def __call__(self, z: Array) -> Array:
        return z.copy()

    def derivative(self, z: Array, h: Array) -> Array:
        return np.ones_like(z)


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
class ReLU:
    """h = max(z, 0), h' = 1 where z > 0, else 0, after Nair & Hinton, 2010 (ICML)."""

    def __call__(self, z: Array, out: Array | None = None) -> Array:
        return np.maximum(z, 0, out=out)

    def derivative(self, z: Array, h: Array) -> Array:
        return (z > 0).astype(z.dtype)


@dataclass(frozen=True)
class LeakyReLU:
    """h = z where z > 0, else slope · z, after Maas et al., 2013 (ICML workshop)."""

    slope: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.slope <= 1:
            raise ValueError(f"slope must be in [0, 1], not {self.slope}")

    def __call__(self, z: Array) -> Array:
        return np.where(z > 0, z, self.slope * z)

    def derivative(self, z: Array, h: Array) -> Array:
        return np.where(z > 0, z.dtype.type(1), self.slope)


@dataclass(frozen=True)
class Swish:
    """h = z σ(βz), h' = σ(βz) + βh (1 - σ(βz)), a smooth ReLU.

    After Ramachandran et al., 2017 (arXiv:1710.05941).
    """

    beta: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.beta):
            raise ValueError(f"beta must be finite, not {self.beta}")

    def __call__(self, z: Array) -> Array:
        return z * sigmoid(self.beta * z)

    def derivative(self, z: Array, h: Array) -> Array:
        gate = sigmoid(self.beta * z)
        return gate + self.beta * h * (1 - gate)
