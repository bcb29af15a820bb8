"""Activations, and their slopes by automatic differentiation, in PyTorch."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from harness_plugins.activations.gated import Hardswish, Mish, Swish
from harness_plugins.activations.gelu import GELU
from harness_plugins.activations.piecewise import Hardtanh, Identity, LeakyReLU, ReLU
from harness_plugins.activations.smooth import ELU, SELU, Sigmoid, Softplus, Softsign, Tanh
from harness_plugins.activations.waves import Gaussian, Sine

from harness.training.stack import columns
from tests.plugins.references.case import Case, difference

TITLE = "Activations"
HOW = "Values and slopes at 2,401 points from -12 to 12, kinks included."
SLOPES, SIZES = (0.0, 0.01, 0.3, 1.0), (0.1, 0.7, 1.0, 7.0)


def alike(plugin: Any) -> list[list[Any]]:
    return [[plugin] * 4]


def case(stacks: list[list[Any]], name: str, **fields: str) -> Case:
    """A function of torch.nn.functional, and which of its arguments are which fields of ours."""

    def compute(torch: Any, plugin: Any, z: Any) -> Any:
        arguments = {theirs: getattr(plugin, ours) for theirs, ours in fields.items()}
        return getattr(torch.nn.functional, name)(z, **arguments)

    return Case(stacks, f"torch.nn.functional.{name}", compute)


CASES = {
    "elu": case([[ELU(alpha) for alpha in SIZES]], "elu", alpha="alpha"),
    "gaussian": Case(alike(Gaussian()), "torch.exp(-z²)", lambda t, o, z: t.exp(-(z**2))),
    "gelu": case([*alike(GELU()), *alike(GELU("tanh"))], "gelu", approximate="approximate"),
    "hardswish": case(alike(Hardswish()), "hardswish"),
    "hardtanh": case(alike(Hardtanh()), "hardtanh"),
    "identity": Case(alike(Identity()), "torch.nn.Identity", lambda t, o, z: t.nn.Identity()(z)),
    "leaky_relu": case(
        [[LeakyReLU(slope) for slope in SLOPES]], "leaky_relu", negative_slope="slope"
    ),
    "mish": case(alike(Mish()), "mish"),
    "relu": case(alike(ReLU()), "relu"),
    "selu": case(alike(SELU()), "selu"),
    "sigmoid": case(alike(Sigmoid()), "sigmoid"),
    "sine": Case(
        [[Sine(frequency) for frequency in (-1.0, 0.5, 1.0, 30.0)]],
        "torch.sin(ωz)",
        lambda t, o, z: t.sin(o.frequency * z),
    ),
    "softplus": Case(
        [[Softplus(beta) for beta in SIZES]],
        "torch.nn.functional.softplus",
        lambda t, o, z: t.nn.functional.softplus(z, o.beta, threshold=1e3),
    ),
    "softsign": case(alike(Softsign()), "softsign"),
    "swish": Case(
        [[Swish(beta) for beta in (-1.0, 0.0, 0.1, 1.0, 7.0)]],
        "torch.nn.functional.silu(βz) / β",
        lambda t, o, z: t.nn.functional.silu(o.beta * z) / o.beta if o.beta else z / 2,
    ),
    "tanh": case(alike(Tanh()), "tanh"),
}


def differences(case: Case) -> Iterator[float]:
    """Of values and slopes, kinks included."""
    import torch

    z = np.linspace(-12, 12, 2401).round(2)
    for plugins in case.stacks:
        stacked, points = columns(plugins, 3, float), np.tile(z, (len(plugins), 1, 1))
        h = stacked(points)
        slope = stacked.derivative(points, h)
        for r, plugin in enumerate(plugins):
            there = torch.tensor(z, requires_grad=True)
            value = case.compute(torch, plugin, there)
            value.sum().backward()
            yield difference(h[r, 0], value.detach().numpy())
            yield difference(slope[r, 0], there.grad.numpy())
