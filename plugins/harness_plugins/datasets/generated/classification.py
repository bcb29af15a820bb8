"""Classes drawn from a formula, as many examples as asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.contracts import Array, Data
from harness_plugins.datasets.generated.features import numbered, some_inform
from harness_plugins.ranges import at_least, positive, samples_and_noise


def turns(samples: int, classes: int) -> Array:
    """Return (samples,) codes 0, 1, ..., classes - 1, 0, 1, ...: as balanced as can be."""
    return np.arange(samples, dtype=np.int64) % classes


def plane(x: Array, codes: Array, class_names: tuple[str, ...]) -> Data:
    """Return data of classes in the plane."""
    return Data(x, codes, "classification", ("x1", "x2"), ("class",), class_names)


def clouds(x: Array, codes: Array, classes: int) -> Data:
    """Return data of classes named by their codes, in as many features as x has."""
    labels = tuple(str(code) for code in range(classes))
    return Data(x, codes, "classification", numbered(x.shape[1]), ("class",), labels)


@dataclass(frozen=True)
class Moons:
    """Two half circles that interlock: (cos t, sin t) and (1 − cos t, ½ − sin t), t ~ U(0, π).

    To each coordinate is added ε ~ N(0, noise²).
    """

    samples: int = 200
    noise: float = 0.1

    def __post_init__(self) -> None:
        samples_and_noise(self.samples, self.noise, least=2)

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (samples, 2) and codes 0 (upper) and 1 (lower), in turn."""
        codes = turns(self.samples, 2)
        t = rng.uniform(0, np.pi, self.samples)
        upper = np.column_stack([np.cos(t), np.sin(t)])
        lower = np.column_stack([1 - np.cos(t), 0.5 - np.sin(t)])
        x = np.where(codes[:, None] == 0, upper, lower)
        return plane(x + rng.normal(0, self.noise, x.shape), codes, ("upper", "lower"))


@dataclass(frozen=True)
class Circles:
    """One circle in another: r (cos t, sin t) + ε, r = 1 or ½, t ~ U(0, 2π), ε ~ N(0, noise²)."""

    samples: int = 200
    noise: float = 0.1

    def __post_init__(self) -> None:
        samples_and_noise(self.samples, self.noise, least=2)

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (samples, 2) and codes 0 (outer) and 1 (inner), in turn."""
        codes = turns(self.samples, 2)
        t = rng.uniform(0, 2 * np.pi, self.samples)
        x = np.where(codes == 0, 1.0, 0.5)[:, None] * np.column_stack([np.cos(t), np.sin(t)])
        return plane(x + rng.normal(0, self.noise, x.shape), codes, ("outer", "inner"))


@dataclass(frozen=True)
class Spirals:
    """Two arms wound into each other: r (cos θ, sin θ) + ε, r = 3√u, θ = π (r + class).

    u ~ U(0, 1), ε ~ N(0, noise²); neighbouring arms are 1 apart. After Lang & Witbrock, 1988.
    """

    samples: int = 200
    noise: float = 0.1

    def __post_init__(self) -> None:
        samples_and_noise(self.samples, self.noise, least=2)

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (samples, 2) and codes 0 and 1, in turn."""
        codes = turns(self.samples, 2)
        r = 3 * np.sqrt(rng.uniform(0, 1, self.samples))
        theta = np.pi * (r + codes)
        x = r[:, None] * np.column_stack([np.cos(theta), np.sin(theta)])
        return plane(x + rng.normal(0, self.noise, x.shape), codes, ("first", "second"))


@dataclass(frozen=True)
class XOR:
    """Whether x₁ and x₂ differ in sign: points of U(−1, 1)², and then ε ~ N(0, noise²) added."""

    samples: int = 200
    noise: float = 0.1

    def __post_init__(self) -> None:
        samples_and_noise(self.samples, self.noise, least=2)

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (samples, 2) and codes 0 (equal signs) and 1 (different signs), in turn."""
        codes = turns(self.samples, 2)
        x = rng.uniform(-1, 1, (self.samples, 2))
        x[:, 1] = np.copysign(x[:, 1], np.where(codes == 0, x[:, 0], -x[:, 0]))
        return plane(x + rng.normal(0, self.noise, x.shape), codes, ("equal", "different"))


@dataclass(frozen=True)
class Blobs:
    """A cloud N(centre, noise²) for each class, each centre ~ U(−2, 2) in every feature."""

    samples: int = 200
    noise: float = 0.3
    classes: int = 3
    features: int = 2

    def __post_init__(self) -> None:
        at_least(2, classes=self.classes)
        at_least(1, features=self.features)
        samples_and_noise(self.samples, self.noise, least=self.classes)

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (samples, features) and codes 0, 1, ..., classes - 1, in turn."""
        codes = turns(self.samples, self.classes)
        centres = rng.uniform(-2, 2, (self.classes, self.features))
        x = centres[codes] + rng.normal(0, self.noise, (self.samples, self.features))
        return clouds(x, codes, self.classes)


@dataclass(frozen=True)
class Checkerboard:
    """The colour of a square of a board, points of U(−1, 1)², and then ε ~ N(0, noise²) added.

    There are `squares` of them in each direction; two are as hard as `xor`.
    """

    samples: int = 200
    noise: float = 0.0
    squares: int = 4

    def __post_init__(self) -> None:
        samples_and_noise(self.samples, self.noise, least=2)
        at_least(2, squares=self.squares)

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (samples, 2) and codes 0 (colour of the lower left corner) and 1, in turn."""
        codes = turns(self.samples, 2)
        corners = np.indices((self.squares, self.squares)).reshape(2, -1).T
        corners = corners[np.argsort(corners.sum(axis=1) % 2, kind="stable")]  # colour by colour
        dark = (self.squares**2 + 1) // 2
        low, high = np.where(codes == 0, 0, dark), np.where(codes == 0, dark, self.squares**2)
        square = corners[rng.integers(low, high)]
        x = 2 * (square + rng.random(square.shape)) / self.squares - 1
        return plane(x + rng.normal(0, self.noise, x.shape), codes, ("dark", "light"))


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
        samples_and_noise(self.samples, self.noise, least=self.classes)
        positive(separation=self.separation)

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (samples, features) and codes 0, 1, ..., classes - 1, in turn."""
        codes = turns(self.samples, self.classes)
        places = np.arange(self.informative) % 62  # of bits; what is beyond repeats the first
        corners = rng.choice(2 ** min(self.informative, 62), self.classes, replace=False)
        signs = 2 * (corners[:, None] >> places & 1) - 1
        x = rng.normal(0, self.noise, (self.samples, self.features))
        x[:, : self.informative] += self.separation * signs[codes]
        return clouds(x, codes, self.classes)
