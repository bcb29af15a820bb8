"""Optimizers that divide each gradient by the size of its weight's earlier gradients."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.contracts import Array
from harness_plugins.ranges import fraction, not_negative, positive


class Sum(NamedTuple):
    """The state of Adagrad."""

    square: Array  # (R, P): Σ g²


@dataclass(frozen=True)
class Adagrad:
    """s ← s + g²,  w ← w - η g / (√s + ε), with s from `initial_accumulator_value` on.

    Duchi et al., 2011 (JMLR 12).
    """

    learning_rate: float = 0.01
    epsilon: float = 1e-10
    initial_accumulator_value: float = 0.0

    def __post_init__(self) -> None:
        positive(learning_rate=self.learning_rate, epsilon=self.epsilon)
        not_negative(initial_accumulator_value=self.initial_accumulator_value)

    def init(self, weights: Array) -> Sum:
        return Sum(np.zeros_like(weights) + self.initial_accumulator_value)

    def update(self, gradient: Array, state: Sum, weights: Array) -> tuple[Array, Sum]:
        square = state.square + gradient * gradient
        return -self.learning_rate * gradient / (np.sqrt(square) + self.epsilon), Sum(square)


class Means(NamedTuple):
    """The state of RMSprop."""

    square: Array  # (R, P): running mean of g²
    gradient: Array  # (R, P): running mean of g; without `centered` (R, 0)
    velocity: Array  # (R, P): the steps so far, each older one counting less


@dataclass(frozen=True)
class RMSprop:
    """s ← α s + (1 - α) g²,  v ← μ v + g / (√s + ε),  w ← w - η v.

    Tieleman & Hinton, 2012 (Coursera, lecture 6.5). With `centered`, as Graves, 2013
    (arXiv:1308.0850), s is lessened by the square of a running mean of g: a variance.
    """

    learning_rate: float = 0.01
    alpha: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        positive(learning_rate=self.learning_rate, epsilon=self.epsilon)
        fraction(alpha=self.alpha, momentum=self.momentum)

    def init(self, weights: Array) -> Means:
        rest = np.zeros_like(weights)
        return Means(rest, rest[:, : None if self.centered else 0].copy(), rest.copy())

    def update(self, gradient: Array, state: Means, weights: Array) -> tuple[Array, Means]:
        square = self.alpha * state.square + (1 - self.alpha) * gradient * gradient
        mean, spread = state.gradient.copy(), square
        if self.centered:
            mean = self.alpha * mean + (1 - self.alpha) * gradient
            spread = np.maximum(square - mean * mean, 0)  # rounding can take it below 0
        velocity = self.momentum * state.velocity + gradient / (np.sqrt(spread) + self.epsilon)
        return -self.learning_rate * velocity, Means(square, mean, velocity)
