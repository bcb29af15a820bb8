"""Schedules: how the step size changes over a run, as a factor of the optimizer's change.

The step t runs from 0 to `total_steps` - 1 and counts updates, not epochs: an epoch is one update
with the full batch, else one for each batch.
"""

import math
from dataclasses import dataclass

import numpy as np

from harness.contracts import Array


@dataclass(frozen=True)
class Constant:
    """f(t) = 1."""

    def __call__(self, step: Array, total_steps: Array) -> Array:
        return np.ones(step.shape, step.dtype)


@dataclass(frozen=True)
class Step:
    """f(t) = factor^⌊t / every⌋, a cut after each `every` updates.

    As in He et al., 2016 (arXiv:1512.03385).
    """

    every: int = 100
    factor: float = 0.5

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be 1 or more, not {self.every}")
        if not 0 < self.factor <= 1:
            raise ValueError(f"factor must be in (0, 1], not {self.factor}")

    def __call__(self, step: Array, total_steps: Array) -> Array:
        return self.factor ** (step // self.every)


@dataclass(frozen=True)
class Cosine:
    """f(t) = ½ (1 + cos(π t / T)), from 1 to almost 0 in T steps.

    After Loshchilov & Hutter, 2017 (arXiv:1608.03983), without restarts.
    """

    def __call__(self, step: Array, total_steps: Array) -> Array:
        return half_wave(step / total_steps)


@dataclass(frozen=True)
class WarmupCosine:
    """f(t) = (t + 1) / (ωT + 1) while t < ωT, then a cosine from 1 to almost 0.

    Warm-up after Goyal et al., 2017 (arXiv:1706.02677); `warmup` ω is its share of the run.
    """

    warmup: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be in [0, 1), not {self.warmup}")

    def __call__(self, step: Array, total_steps: Array) -> Array:
        rise = self.warmup * total_steps
        fall = half_wave((step - rise) / (total_steps - rise))
        return np.where(step < rise, (step + 1) / (rise + 1), fall)


def half_wave(share: Array) -> Array:
    """½ (1 + cos πs) as cos²(½πs), which does not cancel to 0 before the end."""
    wave = np.cos(share * (math.pi / 2))
    return wave * wave
