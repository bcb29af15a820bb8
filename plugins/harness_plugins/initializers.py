"""Initializers draw the first weights at random: equal weights would stay equal."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.contracts import Array
from harness_plugins.ranges import not_negative, positive

Distribution = Literal["normal", "uniform"]


@dataclass(frozen=True)
class Normal:
    """w ~ N(0, scale²), biases too; scale = 0 shows why weights must differ."""

    scale: float = 0.1

    def __post_init__(self) -> None:
        not_negative(scale=self.scale)

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return rng.normal(0, self.scale, (fan_in + 1, fan_out))


@dataclass(frozen=True)
class Uniform:
    """w ~ U(-scale, scale), biases too."""

    scale: float = 0.1

    def __post_init__(self) -> None:
        not_negative(scale=self.scale)

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return rng.uniform(-self.scale, self.scale, (fan_in + 1, fan_out))


@dataclass(frozen=True)
class Zeros:
    """w = 0: right for a linear model, while the units of a hidden layer would stay equal."""

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return np.zeros((fan_in + 1, fan_out))


@dataclass(frozen=True)
class Glorot:
    """Var w = 2 / (fan_in + fan_out), zero biases, for tanh and the like.

    After Glorot & Bengio, 2010 (AISTATS).
    """

    distribution: Distribution = "normal"

    def __post_init__(self) -> None:
        known(self.distribution)

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return draw(self.distribution, rng, 2 / (fan_in + fan_out), (fan_in, fan_out))


@dataclass(frozen=True)
class He:
    """Var w = 2 / fan_in, zero biases, for rectified units; He et al., 2015 (arXiv:1502.01852)."""

    distribution: Distribution = "normal"

    def __post_init__(self) -> None:
        known(self.distribution)

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return draw(self.distribution, rng, 2 / fan_in, (fan_in, fan_out))


@dataclass(frozen=True)
class LeCun:
    """Var w = 1 / fan_in, zero biases, for selu and the like.

    After LeCun et al., 1998 (Efficient BackProp).
    """

    distribution: Distribution = "normal"

    def __post_init__(self) -> None:
        known(self.distribution)

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        return draw(self.distribution, rng, 1 / fan_in, (fan_in, fan_out))


@dataclass(frozen=True)
class Orthogonal:
    """wᵀw = gain² I, or w wᵀ = gain² I where fan_in < fan_out; zero biases.

    Saxe et al., 2014 (arXiv:1312.6120). All such w are as likely, by the Q of a Gaussian matrix
    with the signs that make R's diagonal positive; Mezzadri, 2007 (arXiv:math-ph/0609050).
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        positive(gain=self.gain)

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        tall = max(fan_in, fan_out), min(fan_in, fan_out)
        q, r = np.linalg.qr(rng.normal(0, 1, tall))
        w = self.gain * q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return over_zero_biases(w if fan_in >= fan_out else w.T)


def draw(
    distribution: Distribution,
    rng: np.random.Generator,
    variance: float,
    shape: tuple[int, int],
) -> Array:
    """Return weights of mean 0 and this variance over zero biases: U(-a, a) has a² / 3."""
    if distribution == "uniform":
        limit = math.sqrt(3 * variance)
        return over_zero_biases(rng.uniform(-limit, limit, shape))
    return over_zero_biases(rng.normal(0, math.sqrt(variance), shape))


def over_zero_biases(weights: Array) -> Array:
    """Return (fan_in + 1, fan_out) from (fan_in, fan_out): the bias row is zeros."""
    return np.concatenate([weights, np.zeros((1, weights.shape[1]))])


def known(distribution: str) -> None:
    """Raise ValueError if there is no such distribution here."""
    if distribution not in ("normal", "uniform"):
        raise ValueError(f"distribution must be normal or uniform, not {distribution!r}")
