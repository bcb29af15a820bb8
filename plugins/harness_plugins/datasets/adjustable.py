"""Datasets whose difficulty is a field: how far apart, how fine, how many features say nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.contracts import Data
from harness_plugins.datasets.generated import clouds, numbered, plane, turns, validate, whole
from harness_plugins.ranges import positive


@dataclass(frozen=True)
class Sine:
    """y = sin(ωx) + ε with frequency ω; x ~ U(−π, π), ε ~ N(0, noise²)."""

    samples: int = 200
    noise: float = 0.1
    frequency: float = 1.0

    def __post_init__(self) -> None:
        validate(self.samples, self.noise, least=1)
        positive(frequency=self.frequency)

    def load(self, rng: np.random.Generator) -> Data:
        """x (samples, 1) and y (samples, 1)."""
        x = rng.uniform(-np.pi, np.pi, (self.samples, 1))
        y = np.sin(self.frequency * x) + rng.normal(0, self.noise, x.shape)
        return Data(x, y, "regression", ("x",), ("y",))


@dataclass(frozen=True)
class Checkerboard:
    """The colour of a square of a board, points of U(−1, 1)², and then ε ~ N(0, noise²) added.

    There are `squares` of them in each direction; two are as hard as `xor`.
    """

    samples: int = 200
    noise: float = 0.0
    squares: int = 4

    def __post_init__(self) -> None:
        validate(self.samples, self.noise, least=2)
        whole(2, squares=self.squares)

    def load(self, rng: np.random.Generator) -> Data:
        """x (samples, 2) and codes 0 (the colour of the lower left corner) and 1, in turn."""
        codes = turns(self.samples, 2)
        corners = np.indices((self.squares, self.squares)).reshape(2, -1).T
        corners = corners[np.argsort(corners.sum(axis=1) % 2, kind="stable")]  # colour by colour
        dark = (self.squares**2 + 1) // 2
        low, high = np.where(codes == 0, 0, dark), np.where(codes == 0, dark, self.squares**2)
        square = corners[rng.integers(low, high)]
        x = 2 * (square + rng.random(square.shape)) / self.squares - 1
        return plane(x + rng.normal(0, self.noise, x.shape), codes, ("dark", "light"))


@dataclass(frozen=True)
class Regression:
    """y = x w + ε; x ~ N(0, 1), w ~ N(0, 1) for the first `informative` features, and 0 after.

    ε ~ N(0, noise²).
    """

    samples: int = 200
    noise: float = 0.1
    features: int = 10
    informative: int = 5

    def __post_init__(self) -> None:
        validate(self.samples, self.noise, least=1)
        some_inform(self.features, self.informative)

    def load(self, rng: np.random.Generator) -> Data:
        """x (samples, features) and y (samples, 1)."""
        w = rng.normal(0, 1, (self.informative, 1))
        x = rng.normal(0, 1, (self.samples, self.features))
        y = x[:, : self.informative] @ w + rng.normal(0, self.noise, (self.samples, 1))
        return Data(x, y, "regression", numbered(self.features), ("y",))


@dataclass(frozen=True)
class Classification:
    """A cloud N(centre, noise²) for each class, at a corner of its own of a cube.

    The cube spans ±separation in the first `informative` features; the others are noise alone.
    After Guyon, 2003 (Design of experiments for the NIPS 2003 variable selection benchmark).
    """

    samples: int = 200
    noise: float = 1.0
    features: int = 10
    informative: int = 5
    classes: int = 2
    separation: float = 1.0

    def __post_init__(self) -> None:
        some_inform(self.features, self.informative)
        if not 2 <= self.classes <= 2**self.informative:
            most = f"2 to {2**self.informative}, the corners of {self.informative} features"
            raise ValueError(f"classes must be a whole number from {most}, not {self.classes}")
        validate(self.samples, self.noise, least=self.classes)
        positive(separation=self.separation)

    def load(self, rng: np.random.Generator) -> Data:
        """x (samples, features) and codes 0, 1, ..., classes - 1, in turn."""
        codes = turns(self.samples, self.classes)
        places = np.arange(self.informative) % 62  # of bits; what is beyond repeats the first
        corners = rng.choice(2 ** min(self.informative, 62), self.classes, replace=False)
        signs = 2 * (corners[:, None] >> places & 1) - 1
        x = rng.normal(0, self.noise, (self.samples, self.features))
        x[:, : self.informative] += self.separation * signs[codes]
        return clouds(x, codes, self.classes)


def some_inform(features: int, informative: int) -> None:
    """ValueError unless 1 ≤ informative ≤ features."""
    whole(1, features=features)
    if not 1 <= informative <= features:
        message = f"informative must be a whole number from 1 to {features}, not {informative}"
        raise ValueError(message)
