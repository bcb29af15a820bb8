"""Nets in PyTorch: the same weights, and their gradients by automatic differentiation."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from harness_plugins.activations.smooth import Tanh
from harness_plugins.models.mlp import MLP, Linear
from harness_plugins.models.rbf import RBF
from harness_plugins.models.residual import ResidualMLP

from harness.contracts import Array
from tests.plugins.references.case import Case, difference

TITLE = "Models"
HOW = """Predictions for 20 examples of 3 features, and the gradients of a random sum of them for
each weight, in training: dropout has the same random numbers here and there."""

RUNS, EXAMPLES, FEATURES, OUTPUTS = 4, 20, 3, 2


def case(reference: str, compute: Callable[..., Any], *plugins: Any) -> Case:
    return Case([[plugin] * RUNS for plugin in plugins], reference, compute)


def dense(functional: Any, x: Any, w: Any) -> Any:
    """[x 1] w as PyTorch writes it."""
    return functional.linear(x, w[:-1].T, w[-1])


def mlp(torch: Any, plugin: MLP, weights: list[Any], x: Any, uniform: Any) -> Any:
    functional, left = torch.nn.functional, iter(weights)
    for width in plugin.hidden:
        x = dense(functional, x, next(left))
        if plugin.layer_norm:
            gain, bias = next(left)
            x = functional.layer_norm(x, [width], gain, bias)
        x = torch.tanh(x)
        if plugin.dropout:
            silent = plugin.dropout > uniform((width, EXAMPLES)).T
            x = x.masked_fill(torch.tensor(silent), 0) / (1 - plugin.dropout)
    return dense(functional, x, next(left))


def residual(torch: Any, plugin: ResidualMLP, weights: list[Any], x: Any, uniform: Any) -> Any:
    functional, (first, *inside, last) = torch.nn.functional, weights
    h = dense(functional, x, first)
    for inner, outer in inside:
        h = h + dense(functional, torch.tanh(dense(functional, h, inner)), outer)
    return dense(functional, h, last)


def rbf(torch: Any, plugin: RBF, weights: list[Any], x: Any, uniform: Any) -> Any:
    centres, sharpness, output = weights
    away = torch.cdist(x, centres, compute_mode="donot_use_mm_for_euclid_dist")
    return dense(torch.nn.functional, torch.exp(-((sharpness.T * away) ** 2)), output)


CASES = {
    "linear": case(
        "torch.nn.functional.linear",
        lambda torch, o, weights, x, uniform: dense(torch.nn.functional, x, *weights),
        Linear(),
    ),
    "mlp": case(
        "linear, layer_norm, tanh, dropout of torch.nn.functional",
        mlp,
        MLP(),
        MLP(()),
        MLP((1,)),
        MLP((5, 1, 3)),
        MLP((3, 5), layer_norm=True),
        MLP((6, 5), dropout=0.3),
        MLP((5, 6), dropout=0.4, layer_norm=True),
    ),
    "rbf": case("torch.exp(-(β torch.cdist(x, c))²)", rbf, RBF(), RBF(1), RBF(5)),
    "residual_mlp": case(
        "h + linear(tanh(linear(h))) of torch.nn.functional",
        residual,
        ResidualMLP(),
        ResidualMLP(1, 1),
        ResidualMLP(5, 4),
    ),
}


def normal(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """An initializer."""
    return rng.normal(0, 0.7, (fan_in + 1, fan_out))


def differences(case: Case) -> Iterator[float]:
    """Of each run's predictions, and of its gradients."""
    import torch

    rng = np.random.default_rng(0)
    for model in (plugins[0] for plugins in case.stacks):
        made = [model.init(rng, normal, FEATURES, OUTPUTS) for _ in range(RUNS)]
        layers = [np.stack(each) + rng.normal(0, 0.2) for each in zip(*made, strict=True)]
        x = rng.normal(size=(RUNS, EXAMPLES, FEATURES))
        delta = rng.normal(size=(RUNS, EXAMPLES, OUTPUTS))
        prediction, cache = model.forward(layers, x, Tanh(), uniform())
        gradients = model.backward(cache, delta)
        for r in range(RUNS):
            there = [torch.tensor(layer[r], requires_grad=True) for layer in layers]
            own = np.random.default_rng(r).random
            theirs = case.compute(torch, model, there, torch.tensor(x[r]), own)
            (theirs * torch.tensor(delta[r])).sum().backward()
            yield difference(prediction[r], theirs.detach().numpy())
            for ours, weight in zip(gradients, there, strict=True):
                yield difference(ours[r], weight.grad.numpy())


def uniform() -> Callable[..., Array]:
    """Dropout's numbers: each run has a generator of its own."""
    rngs = [np.random.default_rng(r) for r in range(RUNS)]
    return lambda *shape: np.stack([rng.random(shape) for rng in rngs])
