"""Nets of dense layers: from inputs to predictions, and the error back to each weight.

Inside, examples run along the last axis, (R, units, N): then what one unit does to all examples
is one stretch of memory, and the ones are a row that is written once.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol, cast

import numpy as np

from harness.contracts import Activation, Array, Arrays, Initializer, Uniform
from harness.numerics import takes_out, with_ones
from harness_plugins.ranges import fraction


@dataclass(frozen=True)
class Linear:
    """ŷ = [x 1] w: linear or logistic regression, by the loss; no hidden layer, no activation."""

    def init(
        self, rng: np.random.Generator, initializer: Initializer, features: int, outputs: int
    ) -> Arrays:
        return [initializer(rng, features, outputs)]

    def forward(
        self, weights: Arrays, x: Array, activation: Activation, uniform: Uniform | None = None
    ) -> tuple[Array, Array]:
        inputs = with_ones(x)
        return inputs @ weights[0], inputs

    def backward(self, cache: Array, delta: Array) -> Arrays:
        """Return dL/dw: L(ŷ) with ŷ = inputs · w, so dL/dw = inputsᵀ · dL/dŷ."""
        return [product(cache.mT, delta)]


class InPlace(Protocol):
    """An activation that can write its result into an array of the caller."""

    def __call__(self, z: Array, out: Array) -> Array: ...


class Norm(NamedTuple):
    """Arrays that layer normalisation keeps for backpropagation."""

    gain: Array  # (R, 2, width): γ, and below it the bias β
    unit: Array  # (R, width, N): (z - μ) / s
    spread: Array  # (R, 1, N): s


class Layer(NamedTuple):
    """Arrays that one hidden layer keeps for backpropagation."""

    weights: Array  # (R, fan_in + 1, width)
    inputs: Array  # (R, fan_in + 1, N)
    norm: Norm | None
    z: Array  # (R, width, N), input of the activation
    h: Array  # (R, width, N), its output
    mask: Array | None  # (R, width, N), factors of dropout


class Cache(NamedTuple):
    """The numbers of a forward pass that `backward` needs."""

    activation: Activation
    hidden: list[Layer]
    output: Array  # (R, width + 1, outputs), the last layer's weights
    inputs: Array  # (R, width + 1, N), their inputs


@dataclass(frozen=True)
class MLP:
    """h ← activation([h 1] w) for each hidden layer, then ŷ = [h 1] w.

    After Rumelhart et al., 1986 (Nature 323). With `layer_norm` a hidden layer is normalised
    before its activation; Ba et al., 2016 (arXiv:1607.06450). With `dropout` p each hidden unit is
    silent with probability p in training, and the others are 1 / (1 - p) times as loud; Srivastava
    et al., 2014 (JMLR 15).
    """

    hidden: tuple[int, ...] = (4,)
    dropout: float = 0.0
    layer_norm: bool = False

    def __post_init__(self) -> None:
        if not all(width >= 1 for width in self.hidden):
            raise ValueError(f"hidden must be widths of 1 or more, not {list(self.hidden)}")
        fraction(dropout=self.dropout)

    def init(
        self, rng: np.random.Generator, initializer: Initializer, features: int, outputs: int
    ) -> Arrays:
        """Return each layer's weights and, with layer_norm, its gains (1) over biases (0)."""
        weights: Arrays = []
        for fan_in, width in pairwise((features, *self.hidden)):
            weights.append(initializer(rng, fan_in, width))
            if self.layer_norm:
                weights.append(np.stack([np.ones(width), np.zeros(width)]))
        fan_in = self.hidden[-1] if self.hidden else features
        return [*weights, initializer(rng, fan_in, outputs)]

    def forward(
        self, weights: Arrays, x: Array, activation: Activation, uniform: Uniform | None = None
    ) -> tuple[Array, Cache]:
        *arrays, output = weights
        hidden: list[Layer] = []
        inputs, per_layer = over_ones(x.mT), 2 if self.layer_norm else 1
        for at in range(0, len(arrays), per_layer):
            w, below, norm, mask = arrays[at], inputs, None, None
            z = w.mT @ below
            if self.layer_norm:
                z, norm = normalise(z, arrays[at + 1])
            inputs = activated(activation, z)
            h = inputs[:, :-1]
            if uniform is not None and self.dropout > 0:
                mask = keep(uniform, self.dropout, h)
                inputs = over_ones(h * mask)
            hidden.append(Layer(w, below, norm, z, h, mask))
        return (output.mT @ inputs).mT, Cache(activation, hidden, output, inputs)

    def backward(self, cache: Cache, delta: Array) -> Arrays:
        """Apply the chain rule from the last layer to the first.

        A layer is z = wᵀ [h; 1]. With δ = dL/dz, each weight gets dL/dw = [h; 1] δᵀ, and the
        units below get dL/dh = w δ without the bias row, for nothing feeds the ones. The
        activation h = a(z) below turns it into the next δ = dL/dh · a'(z).
        """
        gradients, above = [cache.inputs @ delta], cache.output
        delta = delta.mT
        for layer in reversed(cache.hidden):
            delta = product(above[:, :-1], delta)
            if layer.mask is not None:
                delta *= layer.mask
            delta *= cache.activation.derivative(layer.z, layer.h)
            if layer.norm is not None:
                delta, gradient = normalise_back(layer.norm, delta)
                gradients.append(gradient)
            gradients.append(layer.inputs @ delta.mT)
            above = layer.weights
        return gradients[::-1]


def keep(uniform: Uniform, dropout: float, h: Array) -> Array:
    """Return (R, width, N) of 0 where a unit is silent, else 1 / (1 - p), in the dtype of h."""
    mask = (uniform(*h.shape[1:]) >= dropout).astype(h.dtype)
    mask /= 1 - dropout
    return mask


def normalise(z: Array, gain: Array) -> tuple[Array, Norm]:
    """Return γ (z - μ) / s + β over an example's units; Ba et al., 2016 (arXiv:1607.06450)."""
    centred = z - z.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(axis=1, keepdims=True) + 1e-5)
    unit = centred / spread
    return unit * gain[:, 0, :, None] + gain[:, 1, :, None], Norm(gain, unit, spread)


def normalise_back(norm: Norm, delta: Array) -> tuple[Array, Array]:
    """Return dL/dz and dL/d(γ over β) from δ = dL/d(output).

    With u = (z - μ) / s and d = γδ: dL/dz = (d - mean d - u mean(d u)) / s, for moving one z also
    moves the mean and the spread of all. dL/dγ and dL/dβ are the sums of δu and δ over examples.
    """
    d = delta * norm.gain[:, 0, :, None]
    common = d.mean(axis=1, keepdims=True)
    common = common + norm.unit * (d * norm.unit).mean(axis=1, keepdims=True)
    gradient = np.stack([(delta * norm.unit).sum(axis=2), delta.sum(axis=2)], axis=1)
    return (d - common) / norm.spread, gradient


def product(a: Array, b: Array) -> Array:
    """Return a @ b; with an inner size of 1 by multiplication, which is faster."""
    return a * b if a.shape[-1] == 1 else a @ b


def activated(activation: Activation, z: Array) -> Array:
    """Return (R, n + 1, N) [a(z); 1] of z (R, n, N); one array if the activation has `out`."""
    if not takes_out(activation.__call__):
        return over_ones(activation(z))
    out = np.empty((z.shape[0], z.shape[1] + 1, z.shape[2]), z.dtype)
    cast(InPlace, activation)(z, out=out[:, :-1])
    out[:, -1] = 1
    return out


def over_ones(h: Array) -> Array:
    """Return (R, n + 1, N): h (R, n, N) over a row of ones, for the bias in w's last row.

    A full batch is one array seen R times (stride 0): it is (1, n + 1, N) here, and broadcasts.
    """
    if h.strides[0] == 0:
        h = h[:1]
    out = np.empty((h.shape[0], h.shape[1] + 1, h.shape[2]), h.dtype)
    out[:, :-1] = h
    out[:, -1] = 1
    return out
