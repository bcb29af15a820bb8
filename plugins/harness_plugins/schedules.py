"""Schedules: how the step size changes over a run, as a factor of the optimizer's change.

The step t runs from 0 to `total_steps` - 1 and counts updates, not epochs: an epoch is one update
with the full batch, else one for each batch.
"""

import math
from dataclasses import dataclass

import numpy as np

from harness.contracts import Array
from harness_plugins.ranges import at_least, decay, fraction, positive


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
        at_least(1, every=self.every)
        decay(factor=self.factor)

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
        fraction(warmup=self.warmup)

    def __call__(self, step: Array, total_steps: Array) -> Array:
        rise = self.warmup * total_steps
        fall = half_wave((step - rise) / (total_steps - rise))
        return np.where(step < rise, (step + 1) / (rise + 1), fall)


@dataclass(frozen=True)
class Exponential:
    """f(t) = γᵗ, the same share less after each update."""

    gamma: float = 0.99

    def __post_init__(self) -> None:
        decay(gamma=self.gamma)

    def __call__(self, step: Array, total_steps: Array) -> Array:
        return above_zero(self.gamma**step)


@dataclass(frozen=True)
class Polynomial:
    """f(t) = (1 - t / T)^power, from 1 to almost 0 in T steps; Chen et al., 2018 (TPAMI 40)."""

    power: float = 1.0

    def __post_init__(self) -> None:
        positive(power=self.power)

    def __call__(self, step: Array, total_steps: Array) -> Array:
        return above_zero((1 - step / total_steps) ** self.power)


@dataclass(frozen=True)
class OneCycle:
    """f(t) from 1 / div_factor up to 1, and down to 1 / (div_factor final_div_factor): half waves.

    After Smith & Topin, 2018 (arXiv:1708.07120), as PyTorch computes it; `warmup` is the share of
    the run in which it rises, and the optimizer's learning rate is the highest.
    """

    warmup: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        fraction(warmup=self.warmup)
        positive(div_factor=self.div_factor, final_div_factor=self.final_div_factor)

    def __call__(self, step: Array, total_steps: Array) -> Array:
        top, first = self.warmup * total_steps - 1, 1 / self.div_factor
        last = first / self.final_div_factor
        rising = (step <= top) & (top > 0)
        ahead = half_wave(step / np.where(rising, top, 1))
        rise = first * ahead + (1 - ahead)
        fall = last + (1 - last) * half_wave((step - top) / (total_steps - 1 - top))
        return np.where(rising, rise, fall)


@dataclass(frozen=True)
class CosineRestarts:
    """f(t) = ½ (1 + cos(π s / P)), with s the steps since the last start from 1, then again.

    P is `period` at first, and `growth` times as long after each restart; Loshchilov & Hutter,
    2017 (arXiv:1608.03983).
    """

    period: int = 100
    growth: int = 1

    def __post_init__(self) -> None:
        at_least(1, period=self.period, growth=self.growth)

    def __call__(self, step: Array, total_steps: Array) -> Array:
        if self.growth == 1:
            return half_wave(step % self.period / self.period)
        more, t = self.growth - 1, step.astype(float)  # in float32 a restart could come too late
        ended = np.floor(np.log1p(t * more / self.period) / math.log(self.growth) + 1e-9)
        grown = float(self.growth) ** ended
        share = (t - self.period * (grown - 1) / more) / (self.period * grown)
        return half_wave(share.astype(step.dtype))


def above_zero(factor: Array) -> Array:
    """Return the factor, or the smallest positive number where it underflows."""
    return np.maximum(factor, np.finfo(factor.dtype).tiny)


def half_wave(share: Array) -> Array:
    """Return ½ (1 + cos πs) as cos²(½πs), which does not cancel to 0 before the end."""
    wave = np.cos(share * (math.pi / 2))
    return wave * wave
