"""Datasets drawn from a formula: as many examples as asked for, from the generator given."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from harness.contracts import Array, Data


def whole(least: int, **fields: int) -> None:
    """ValueError unless each is that or more."""
    for name, value in fields.items():
        if value < least:
            raise ValueError(f"{name} must be a whole number from {least} up, not {value}")


def validate(samples: int, noise: float, least: int) -> None:
    whole(least, samples=samples)
    if not 0 <= noise < inf:
        raise ValueError(f"noise must be a finite number from 0 up, not {noise}")


def turns(samples: int, classes: int) -> Array:
    """(samples,) codes 0, 1, ..., classes - 1, 0, 1, ...: as balanced as can be."""
    return np.arange(samples, dtype=np.int64) % classes


def numbered(features: int) -> tuple[str, ...]:
    """Names x1, x2, … of features."""
    return tuple(f"x{i + 1}" for i in range(features))


def plane(x: Array, codes: Array, class_names: tuple[str, ...]) -> Data:
    """Classes in the plane."""
    return Data(x, codes, "classification", ("x1", "x2"), ("class",), class_names)


def clouds(x: Array, codes: Array, classes: int) -> Data:
    """Classes that are called by their codes, in as many features as there are."""
    labels = tuple(str(code) for code in range(classes))
    return Data(x, codes, "classification", numbered(x.shape[1]), ("class",), labels)


@dataclass(frozen=True)
class Surface:
    """y = 1.2 sin x₁ + 0.7 x₂ − 0.3 x₁x₂ + ε; x₁, x₂ ~ U(−2, 2), ε ~ N(0, noise²)."""

    samples: int = 200
    noise: float = 0.1

    def __post_init__(self) -> None:
        validate(self.samples, self.noise, least=1)

    def load(self, rng: np.random.Generator) -> Data:
        """x (samples, 2) and y (samples, 1); draws x₁, then x₂, then ε."""
        x1 = rng.uniform(-2, 2, self.samples)
        x2 = rng.uniform(-2, 2, self.samples)
        noise = rng.normal(0, self.noise, self.samples)
        y = 1.2 * np.sin(x1) + 0.7 * x2 - 0.3 * x1 * x2 + noise
        return Data(np.column_stack([x1, x2]), y[:, None], "regression", ("x1", "x2"), ("y",))


@dataclass(frozen=True)
class Moons:
    """Two half circles that interlock: (cos t, sin t) and (1 − cos t, ½ − sin t), t ~ U(0, π).

    To each coordinate is added ε ~ N(0, noise²).
    """

    samples: int = 200
    noise: float = 0.1

    def __post_init__(self) -> None:
        validate(self.samples, self.noise, least=2)

    def load(self, rng: np.random.Generator) -> Data:
        """x (samples, 2) and codes 0 (upper) and 1 (lower), in turn."""
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
        validate(self.samples, self.noise, least=2)

    def load(self, rng: np.random.Generator) -> Data:
        """x (samples, 2) and codes 0 (outer) and 1 (inner), in turn."""
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
        validate(self.samples, self.noise, least=2)

    def load(self, rng: np.random.Generator) -> Data:
        """x (samples, 2) and codes 0 and 1, in turn."""
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
        validate(self.samples, self.noise, least=2)

    def load(self, rng: np.random.Generator) -> Data:
        """x (samples, 2) and codes 0 (equal signs) and 1 (different signs), in turn."""
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
        whole(2, classes=self.classes)
        whole(1, features=self.features)
        validate(self.samples, self.noise, least=self.classes)

    def load(self, rng: np.random.Generator) -> Data:
        """x (samples, features) and codes 0, 1, ..., classes - 1, in turn."""
        codes = turns(self.samples, self.classes)
        centres = rng.uniform(-2, 2, (self.classes, self.features))
        x = centres[codes] + rng.normal(0, self.noise, (self.samples, self.features))
        return clouds(x, codes, self.classes)


@dataclass(frozen=True)
class Friedman1:
    """y = 10 sin(π x₁x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅ + ε; x ~ U(0, 1), ε ~ N(0, noise²).

    Features after the fifth say nothing. Friedman, 1991, Multivariate adaptive regression splines.
    """

    samples: int = 200
    noise: float = 1.0
    features: int = 10

    def __post_init__(self) -> None:
        validate(self.samples, self.noise, least=1)
        whole(5, features=self.features)

    def load(self, rng: np.random.Generator) -> Data:
        """x (samples, features) and y (samples, 1)."""
        x = rng.uniform(0, 1, (self.samples, self.features))
        y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
        y += 10 * x[:, 3] + 5 * x[:, 4] + rng.normal(0, self.noise, self.samples)
        names = numbered(self.features)
        return Data(x, y[:, None], "regression", names, ("y",), standardize=True)
