"""Optimizers that follow a running sum of the gradients, at its length or step by equal step."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.contracts import Array
from harness_plugins.ranges import fraction, not_negative, positive


class Velocity(NamedTuple):
    """The state of SGD and Lion."""

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


@dataclass(frozen=True)
class Lion:
    """w ← w - η (sign(β₁ m + (1 - β₁) g) + λ w),  m ← β₂ m + (1 - β₂) g.

    Chen et al., 2023 (arXiv:2302.06675), Algorithm 2.
    """

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        positive(learning_rate=self.learning_rate)
        fraction(beta1=self.beta1, beta2=self.beta2)
        not_negative(weight_decay=self.weight_decay)

    def init(self, weights: Array) -> Velocity:
        return Velocity(np.zeros_like(weights))

    def update(self, gradient: Array, state: Velocity, weights: Array) -> tuple[Array, Velocity]:
        change = np.sign(self.beta1 * state.velocity + (1 - self.beta1) * gradient)
        change += self.weight_decay * weights
        change *= -self.learning_rate
        return change, Velocity(self.beta2 * state.velocity + (1 - self.beta2) * gradient)
