"""Activations that do not grow with z, but swing or fade."""

from dataclasses import dataclass

import numpy as np

from harness.contracts import Array
from harness_plugins.ranges import finite


@dataclass(frozen=True)
class Sine:
    """h = sin(ωz), h' = ω cos(ωz) with frequency ω, after Sitzmann et al., 2020 (SIREN).

    arXiv:2006.09661; ω = 30 is what they give the first layer.
    """

    frequency: float = 1.0

    def __post_init__(self) -> None:
        finite(frequency=self.frequency)

    def __call__(self, z: Array) -> Array:
        return np.sin(self.frequency * z)

    def derivative(self, z: Array, h: Array) -> Array:
        return self.frequency * np.cos(self.frequency * z)


@dataclass(frozen=True)
class Gaussian:
    """h = e^-z², h' = -2 z h, after Broomhead & Lowe, 1988 (Complex Systems 2)."""

    def __call__(self, z: Array) -> Array:
        with np.errstate(under="ignore"):
            return np.exp(-(z * z))

    def derivative(self, z: Array, h: Array) -> Array:
        return -2 * z * h
