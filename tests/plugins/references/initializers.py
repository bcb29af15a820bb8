"""Initializers, and the moments that theory gives them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from harness_plugins.initializers import Glorot, He, LeCun, Normal, Orthogonal, Uniform, Zeros

from harness.contracts import Array
from tests.plugins.references.case import Case

TITLE = "Initializers"
HOW = """Mean, variance and fourth moment of 400,000 weights of 40 units above 10, and of 10 above
40, in powers of theory's standard deviation: as near as chance has it. Biases are of the same law
for `normal` and `uniform`, and zero for the others. Of `orthogonal` each number of the product."""

SHAPES, DRAWS = ((10, 40), (40, 10)), 1000


def law(variance: Callable[..., float], biases: bool = False) -> Callable[..., Iterator[float]]:
    """Compares with N(0, variance) or U of that variance, variance(plugin, fan_in, fan_out)."""

    def compute(plugin: Any, fan_in: int, fan_out: int, drawn: Array) -> Iterator[float]:
        uniform = isinstance(plugin, Uniform) or vars(plugin).get("distribution") == "uniform"
        standard = drawn / np.sqrt(variance(plugin, fan_in, fan_out))
        if not biases:
            yield np.abs(standard[:, -1]).max()
            standard = standard[:, :-1]
        for power, due in ((1, 0), (2, 1), (4, 9 / 5 if uniform else 3)):
            yield abs(np.mean(standard**power) - due) / max(due, 1)

    return compute


def orthogonal(plugin: Any, fan_in: int, fan_out: int, drawn: Array) -> Iterator[float]:
    """Compares with gain² I, and biases with 0."""
    weights = drawn[:, :-1]
    product = weights.mT @ weights if fan_in >= fan_out else weights @ weights.mT
    yield float(np.abs(product - plugin.gain**2 * np.eye(min(fan_in, fan_out))).max())
    yield float(np.abs(drawn[:, -1]).max())


CASES = {
    "glorot": Case(
        [[Glorot()], [Glorot("uniform")]],
        "Var w = 2 / (fan_in + fan_out)",
        law(lambda o, fan_in, fan_out: 2 / (fan_in + fan_out)),
    ),
    "he": Case(
        [[He()], [He("uniform")]],
        "Var w = 2 / fan_in",
        law(lambda o, fan_in, fan_out: 2 / fan_in),
    ),
    "lecun": Case(
        [[LeCun()], [LeCun("uniform")]],
        "Var w = 1 / fan_in",
        law(lambda o, fan_in, fan_out: 1 / fan_in),
    ),
    "normal": Case(
        [[Normal(), Normal(3.0)]], "Var w = scale²", law(lambda o, *fans: o.scale**2, True)
    ),
    "orthogonal": Case([[Orthogonal(), Orthogonal(2.0)]], "wᵀw = gain² I, or w wᵀ", orthogonal),
    "uniform": Case(
        [[Uniform(), Uniform(3.0)]],
        "Var w = scale² / 3",
        law(lambda o, *fans: o.scale**2 / 3, True),
    ),
    "zeros": Case([[Zeros()]], "0", lambda o, fan_in, fan_out, drawn: iter([abs(drawn).max()])),
}


def differences(case: Case) -> Iterator[float]:
    """Of each member's draws for layers of two shapes."""
    for plugin in (plugin for plugins in case.stacks for plugin in plugins):
        for fan_in, fan_out in SHAPES:
            rng = np.random.default_rng(0)
            drawn = np.stack([plugin(rng, fan_in, fan_out) for _ in range(DRAWS)])
            yield from map(float, case.compute(plugin, fan_in, fan_out, drawn))
