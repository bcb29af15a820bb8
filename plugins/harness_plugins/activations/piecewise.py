"""Activations of straight pieces: none, one or two kinks."""

from dataclasses import dataclass

import numpy as np

from harness.contracts import Array


@dataclass(frozen=True)
class Identity:
    """h = z. A net of these is linear, however deep."""

    def __call__(self, z: Array) -> Array:
        return z.copy()

    def derivative(self, z: Array, h: Array) -> Array:
        return np.ones_like(z)


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
class Hardtanh:
    """h = min(max(z, -1), 1), h' = 1 where -1 < z < 1, else 0; Collobert, 2004 (thesis, Paris)."""

    def __call__(self, z: Array, out: Array | None = None) -> Array:
        return np.clip(z, -1, 1, out=out)

    def derivative(self, z: Array, h: Array) -> Array:
        return ((z > -1) & (z < 1)).astype(z.dtype)
