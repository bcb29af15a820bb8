"""Regression tasks drawn from a formula, as many examples as asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.contracts import Data
from harness_plugins.datasets.generated.features import numbered, some_inform
from harness_plugins.ranges import at_least, positive, samples_and_noise


@dataclass(frozen=True)
class Sine:
    """y = sin(ωx) + ε with frequency ω; x ~ U(−π, π), ε ~ N(0, noise²)."""

    samples: int = 200
    noise: float = 0.1
    frequency: float = 1.0

    def __post_init__(self) -> None:
        samples_and_noise(self.samples, self.noise, least=1)
        positive(frequency=self.frequency)

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (samples, 1) and y (samples, 1)."""
        x = rng.uniform(-np.pi, np.pi, (self.samples, 1))
        y = np.sin(self.frequency * x) + rng.normal(0, self.noise, x.shape)
        return Data(x, y, "regression", ("x",), ("y",))


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
        samples_and_noise(self.samples, self.noise, least=1)
        some_inform(self.features, self.informative)

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (samples, features) and y (samples, 1)."""
        w = rng.normal(0, 1, (self.informative, 1))
        x = rng.normal(0, 1, (self.samples, self.features))
        y = x[:, : self.informative] @ w + rng.normal(0, self.noise, (self.samples, 1))
        return Data(x, y, "regression", numbered(self.features), ("y",))


@dataclass(frozen=True)
class Surface:
    """y = 1.2 sin x₁ + 0.7 x₂ − 0.3 x₁x₂ + ε; x₁, x₂ ~ U(−2, 2), ε ~ N(0, noise²)."""

    samples: int = 200
    noise: float = 0.1

    def __post_init__(self) -> None:
        samples_and_noise(self.samples, self.noise, least=1)

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (samples, 2) and y (samples, 1); draws x₁, then x₂, then ε."""
        x1 = rng.uniform(-2, 2, self.samples)
        x2 = rng.uniform(-2, 2, self.samples)
        noise = rng.normal(0, self.noise, self.samples)
        y = 1.2 * np.sin(x1) + 0.7 * x2 - 0.3 * x1 * x2 + noise
        return Data(np.column_stack([x1, x2]), y[:, None], "regression", ("x1", "x2"), ("y",))


@dataclass(frozen=True)
class Friedman1:
    """y = 10 sin(π x₁x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅ + ε; x ~ U(0, 1), ε ~ N(0, noise²).

    Features after the fifth say nothing. Friedman, 1991, Multivariate adaptive regression splines.
    """

    samples: int = 200
    noise: float = 1.0
    features: int = 10

    def __post_init__(self) -> None:
        samples_and_noise(self.samples, self.noise, least=1)
        at_least(5, features=self.features)

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (samples, features) and y (samples, 1)."""
        x = rng.uniform(0, 1, (self.samples, self.features))
        y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
        y += 10 * x[:, 3] + 5 * x[:, 4] + rng.normal(0, self.noise, self.samples)
        names = numbered(self.features)
        return Data(x, y[:, None], "regression", names, ("y",), standardize=True)
