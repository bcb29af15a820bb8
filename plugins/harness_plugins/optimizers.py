"""Optimizers: how a gradient becomes a step. All weights of a run are one row, biases included."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.contracts import Array


class Velocity(NamedTuple):
    velocity: Array  # (R, P): the gradients so far, each older one counting less


@dataclass(frozen=True)
class SGD:
    """v ← μ v + g,  w ← w - η v;  with Nesterov's momentum  w ← w - η (g + μ v).

    Momentum μ after Polyak, 1964, and Nesterov, 1983, as Sutskever et al., 2013 (ICML) write it
    and PyTorch computes it; μ = 0 is gradient descent.
    """

    learning_rate: float = 0.05
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        positive(learning_rate=self.learning_rate)
        fraction(momentum=self.momentum)

    def init(self, weights: Array) -> Velocity:
        return Velocity(np.zeros_like(weights))

    def update(self, gradient: Array, state: Velocity, weights: Array) -> tuple[Array, Velocity]:
        velocity = self.momentum * state.velocity
        velocity += gradient
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return -self.learning_rate * direction, Velocity(velocity)


class Moments(NamedTuple):
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
        if not 0 <= self.weight_decay < np.inf:
            raise ValueError(f"weight_decay must be 0 or more, not {self.weight_decay}")

    def init(self, weights: Array) -> Moments:
        return at_rest(weights)

    def update(self, gradient: Array, state: Moments, weights: Array) -> tuple[Array, Moments]:
        change, state = adapt(self, gradient, state)
        return change - self.learning_rate * self.weight_decay * weights, state


def at_rest(weights: Array) -> Moments:
    """Adam's memory before the first gradient."""
    step = np.zeros((len(weights), 1), weights.dtype)
    return Moments(step, np.zeros_like(weights), np.zeros_like(weights))


def adapt(fields: Adam | AdamW, gradient: Array, state: Moments) -> tuple[Array, Moments]:
    """Adam's change and its next memory.

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


def positive(**fields: float) -> None:
    """ValueError unless each is above 0 and finite."""
    for name, value in fields.items():
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be positive and finite, not {value}")


def fraction(**fields: float) -> None:
    """ValueError unless each is in [0, 1)."""
    for name, value in fields.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} must be in [0, 1), not {value}")
