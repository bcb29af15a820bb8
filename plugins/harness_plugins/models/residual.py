"""A residual net: each block adds to its input and passes the sum on."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.contracts import Activation, Array, Arrays, Initializer, Uniform
from harness_plugins.models.mlp import activated, over_ones, product
from harness_plugins.ranges import at_least


class Block(NamedTuple):
    """Arrays that one block keeps for backpropagation."""

    weights: Array  # (R, 2, width + 1, width), u and v
    stream: Array  # (R, width + 1, N), [h; 1], the input
    z: Array  # (R, width, N), input of the activation
    raised: Array  # (R, width + 1, N), its output, and ones


class Cache(NamedTuple):
    """The numbers of a forward pass that `backward` needs."""

    activation: Activation
    x: Array  # (R, features + 1, N)
    blocks: list[Block]
    output: Array  # (R, width + 1, outputs), the last layer's weights
    stream: Array  # (R, width + 1, N), their inputs


@dataclass(frozen=True)
class ResidualMLP:
    """h ← [x 1] w, then h ← h + [activation([h 1] u) 1] v for each block, and ŷ = [h 1] w'.

    After He et al., 2016 (arXiv:1603.05027): nothing but sums is in the way of h, or of its slope.
    """

    width: int = 16
    blocks: int = 2

    def __post_init__(self) -> None:
        at_least(1, width=self.width, blocks=self.blocks)

    def init(
        self, rng: np.random.Generator, initializer: Initializer, features: int, outputs: int
    ) -> Arrays:
        """Return w (features + 1, width), each block's u and v (2, width + 1, width), w'."""
        first, width = initializer(rng, features, self.width), self.width
        pairs = [[initializer(rng, width, width) for _ in "uv"] for _ in range(self.blocks)]
        return [first, *map(np.stack, pairs), initializer(rng, width, outputs)]

    def forward(
        self, weights: Arrays, x: Array, activation: Activation, uniform: Uniform | None = None
    ) -> tuple[Array, Cache]:
        first, *inside, output = weights
        below = over_ones(x.mT)
        stream, blocks = over_ones(first.mT @ below), []
        for block in inside:
            z = block[:, 0].mT @ stream
            raised = activated(activation, z)
            blocks.append(Block(block, stream, z, raised))
            stream = over_ones(stream[:, :-1] + block[:, 1].mT @ raised)
        return (output.mT @ stream).mT, Cache(activation, below, blocks, output, stream)

    def backward(self, cache: Cache, delta: Array) -> Arrays:
        """Apply the chain rule from the last block to the first; δ is dL/dh, (R, width, N).

        A block's h + vᵀ [a(z); 1] with z = uᵀ [h; 1] passes δ on as it is, and besides what comes
        back through v, a and u: δ ← δ + u (a'(z) · v δ), without the bias rows.
        """
        gradients = [cache.stream @ delta]
        delta = product(cache.output[:, :-1], delta.mT)
        for block in reversed(cache.blocks):
            inner, outer = block.weights[:, 0, :-1], block.weights[:, 1, :-1]
            back = product(outer, delta)
            back *= cache.activation.derivative(block.z, block.raised[:, :-1])
            pair = [block.stream @ back.mT, block.raised @ delta.mT]
            gradients.append(np.stack(pair, axis=1))
            delta = delta + product(inner, back)
        gradients.append(cache.x @ delta.mT)
        return gradients[::-1]
