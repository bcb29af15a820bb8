"""Adam and its kin: running means of the gradient and of its size, and a step that is their ratio.

Each mean is freed of its start at 0 by 1 / (1 - βᵗ).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.contracts import Array
from harness_plugins.ranges import fraction, not_negative, positive


class Moments(NamedTuple):
    """The state of Adam and AdamW."""

    step: Array  # (R, 1): updates done
    gradient: Array  # (R, P): Σ β₁ᵃ g, each gradient counting less with its age a
    square: Array  # (R, P): Σ β₂ᵃ g²


@dataclass(frozen=True)
class Adam:
    """m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²,  w ← w - η m̂ / (√v̂ + ε).

    Kingma & Ba, 2015 (arXiv:1412.6980), Algorithm 1: m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ).
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        positive(learning_rate=self.learning_rate, epsilon=self.epsilon)
        fraction(beta1=self.beta1, beta2=self.beta2)

    def init(self, weights: Array) -> Moments:
        return at_rest(weights)

    def update(self, gradient: Array, state: Moments, weights: Array) -> tuple[Array, Moments]:
        return adapt(self, gradient, state)


@dataclass(frozen=True)
class AdamW:
    """Adam, and w ← w - η λ w: decay that the moments do not see.

    Loshchilov & Hutter, 2019 (arXiv:1711.05101), as PyTorch computes it; biases decay too.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        positive(learning_rate=self.learning_rate, epsilon=self.epsilon)
        fraction(beta1=self.beta1, beta2=self.beta2)
        not_negative(weight_decay=self.weight_decay)

    def init(self, weights: Array) -> Moments:
        return at_rest(weights)

    def update(self, gradient: Array, state: Moments, weights: Array) -> tuple[Array, Moments]:
        change, state = adapt(self, gradient, state)
        return change - self.learning_rate * self.weight_decay * weights, state


def at_rest(weights: Array) -> Moments:
    """Return Adam's state before the first gradient."""
    step = np.zeros((len(weights), 1), weights.dtype)
    return Moments(step, np.zeros_like(weights), np.zeros_like(weights))


def adapt(fields: Adam | AdamW, gradient: Array, state: Moments) -> tuple[Array, Moments]:
    """Return Adam's change and its next state.

    m̂ = b Σ β₁ᵃ g with b = (1 - β₁) / (1 - β₁ᵗ), and √v̂ + ε = c (√(Σ β₂ᵃ g²) + ε / c) with
    c² = (1 - β₂) / (1 - β₂ᵗ): all but the sums is done on columns (R, 1), not on rows (R, P).
    """
    beta1, beta2, step = fields.beta1, fields.beta2, state.step + 1
    b, c = (1 - beta1) / (1 - beta1**step), np.sqrt((1 - beta2) / (1 - beta2**step))
    first, second = beta1 * state.gradient, beta2 * state.square
    first += gradient
    change = gradient * gradient
    second += change
    np.sqrt(second, out=change)
    change += fields.epsilon / c
    np.divide(first, change, out=change)
    change *= -fields.learning_rate * b / c
    return change, Moments(step, first, second)


class Peaks(NamedTuple):
    """The state of AMSGrad."""

    step: Array  # (R, 1): updates done
    mean: Array  # (R, P): running mean of g
    square: Array  # (R, P): running mean of g²
    peak: Array  # (R, P): its largest value so far


@dataclass(frozen=True)
class AMSGrad:
    """Adam with v̂ = max(v, the v before) / (1 - β₂ᵗ): a large gradient is not forgotten.

    Reddi et al., 2018 (arXiv:1904.09237), with m̂ and v̂ as PyTorch computes them.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        positive(learning_rate=self.learning_rate, epsilon=self.epsilon)
        fraction(beta1=self.beta1, beta2=self.beta2)

    def init(self, weights: Array) -> Peaks:
        return Peaks(*at_rest(weights), np.zeros_like(weights))

    def update(self, gradient: Array, state: Peaks, weights: Array) -> tuple[Array, Peaks]:
        step = state.step + 1
        mean = self.beta1 * state.mean + (1 - self.beta1) * gradient
        square = self.beta2 * state.square + (1 - self.beta2) * gradient * gradient
        peak = np.maximum(state.peak, square)
        size = np.sqrt(peak) / np.sqrt(1 - self.beta2**step) + self.epsilon
        change = -self.learning_rate / (1 - self.beta1**step) * mean / size
        return change, Peaks(step, mean, square, peak)


class Largest(NamedTuple):
    """The state of Adamax."""

    step: Array  # (R, 1): updates done
    mean: Array  # (R, P): running mean of g
    size: Array  # (R, P): the largest |g|, each older one counting less


@dataclass(frozen=True)
class Adamax:
    """m ← β₁ m + (1 - β₁) g,  u ← max(β₂ u, |g| + ε),  w ← w - η m̂ / u.

    Kingma & Ba, 2015 (arXiv:1412.6980), Algorithm 2, with ε where PyTorch has it.
    """

    learning_rate: float = 0.002
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        positive(learning_rate=self.learning_rate, epsilon=self.epsilon)
        fraction(beta1=self.beta1, beta2=self.beta2)

    def init(self, weights: Array) -> Largest:
        return Largest(*at_rest(weights))

    def update(self, gradient: Array, state: Largest, weights: Array) -> tuple[Array, Largest]:
        step = state.step + 1
        mean = self.beta1 * state.mean + (1 - self.beta1) * gradient
        size = np.maximum(self.beta2 * state.size, np.abs(gradient) + self.epsilon)
        change = -self.learning_rate / (1 - self.beta1**step) * mean / size
        return change, Largest(step, mean, size)


class Nesterov(NamedTuple):
    """The state of NAdam."""

    step: Array  # (R, 1): updates done
    mean: Array  # (R, P): running mean of g
    square: Array  # (R, P): running mean of g²
    product: Array  # (R, 1): of all μ so far


@dataclass(frozen=True)
class NAdam:
    """w ← w - η (μₜ₊₁ m / (1 - Πμₜ₊₁) + (1 - μₜ) g / (1 - Πμ)) / (√v̂ + ε): Adam, looking ahead.

    Dozat, 2016 (ICLR workshop), as PyTorch computes it: μₜ = β₁ (1 - ½ 0.96^ψt) with ψ the
    `momentum_decay`, and Π their product up to t.
    """

    learning_rate: float = 0.002
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    momentum_decay: float = 0.004

    def __post_init__(self) -> None:
        positive(learning_rate=self.learning_rate, epsilon=self.epsilon)
        fraction(beta1=self.beta1, beta2=self.beta2)
        not_negative(momentum_decay=self.momentum_decay)

    def init(self, weights: Array) -> Nesterov:
        rest = at_rest(weights)
        return Nesterov(*rest, np.ones_like(rest.step))

    def update(self, gradient: Array, state: Nesterov, weights: Array) -> tuple[Array, Nesterov]:
        step = state.step + 1
        mean = self.beta1 * state.mean + (1 - self.beta1) * gradient
        square = self.beta2 * state.square + (1 - self.beta2) * gradient * gradient
        now, later = self._momentum(step), self._momentum(step + 1)
        product = state.product * now
        ahead = later / (1 - product * later) * mean
        ahead += (1 - now) / (1 - product) * gradient
        size = np.sqrt(square / (1 - self.beta2**step)) + self.epsilon
        return -self.learning_rate * ahead / size, Nesterov(step, mean, square, product)

    def _momentum(self, step: Array) -> Array:
        return self.beta1 * (1 - 0.5 * 0.96 ** (step * self.momentum_decay))
