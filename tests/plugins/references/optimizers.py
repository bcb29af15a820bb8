"""Optimizers of PyTorch, and of Optax what PyTorch does not have, on two functions."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from harness_plugins.optimizers.adam import Adam, Adamax, AdamW, AMSGrad, NAdam
from harness_plugins.optimizers.adaptive import Adagrad, RMSprop
from harness_plugins.optimizers.momentum import SGD, Lion

from harness.contracts import Array
from harness.training.stack import columns
from tests.plugins.references.case import Case, difference

TITLE = "Optimizers"
HOW = """The points of 200 steps on Rosenbrock's function of ten numbers, and on a quadratic whose
steepest direction is 10,000 times as steep as its flattest."""

STEPS, WEIGHTS = 200, 10
RATES, TINY_RATES = (0.001, 0.002, 0.005, 0.01), (1e-5, 1e-4, 3e-4, 4e-4)
BETAS = [(0.9, 0.999), (0.8, 0.99), (0.5, 0.99), (0.95, 0.98)]
EPSILONS = (1e-8, 1e-3, 1e-2, 0.1)
THEIRS = {"learning_rate": "lr", "epsilon": "eps"}


def stack(plugin: type, rates: Any = RATES, shared: Any = (), **fields: Any) -> list[Any]:
    """Members that differ in each field named."""
    values = [dict(zip(fields, each, strict=True)) for each in zip(*fields.values(), strict=True)]
    values = values or [{}] * len(rates)
    return [plugin(rate, **dict(shared), **own) for rate, own in zip(rates, values, strict=True)]


def adam_like(plugin: type, **fields: Any) -> list[list[Any]]:
    beta1, beta2 = zip(*BETAS, strict=True)
    return [stack(plugin), stack(plugin, beta1=beta1, beta2=beta2, epsilon=EPSILONS, **fields)]


def settings(plugin: Any) -> dict[str, Any]:
    """A plugin's fields as PyTorch calls them."""
    ours = dict(vars(plugin))
    if "beta1" in ours:
        ours["betas"] = ours.pop("beta1"), ours.pop("beta2")
    return {THEIRS.get(name, name): value for name, value in ours.items()}


def in_torch(name: str, **more: Any) -> Callable[..., Array]:
    def compute(plugin: Any, gradient: Callable[[Array], Array], start: Array) -> Array:
        import torch

        torch.set_default_dtype(torch.float64)  # or NAdam's product of momenta is in float32
        weights = torch.nn.Parameter(torch.tensor(start))
        optimizer = getattr(torch.optim, name)([weights], **settings(plugin), **more)
        points = []
        for _ in range(STEPS):
            weights.grad = torch.from_numpy(gradient(weights.detach().numpy()[None])[0])
            optimizer.step()
            points.append(weights.detach().numpy().copy())
        return np.stack(points)

    return compute


def lion_in_optax(o: Lion, gradient: Callable[[Array], Array], start: Array) -> Array:
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
    lion = optax.lion(o.learning_rate, o.beta1, o.beta2, weight_decay=o.weight_decay)
    update, state, points = jax.jit(lion.update), lion.init(jax.numpy.asarray(start)), [start]
    for _ in range(STEPS):
        change, state = update(jax.numpy.asarray(gradient(points[-1][None])[0]), state, points[-1])
        points.append(points[-1] + np.asarray(change))
    return np.stack(points[1:])


CASES = {
    "adagrad": Case(
        [
            stack(Adagrad, (0.01, 0.1, 0.3, 1.0)),
            stack(Adagrad, epsilon=EPSILONS, initial_accumulator_value=(0.0, 0.1, 1.0, 3.0)),
        ],
        "torch.optim.Adagrad",
        in_torch("Adagrad"),
    ),
    "adam": Case(adam_like(Adam), "torch.optim.Adam", in_torch("Adam")),
    "adamax": Case(adam_like(Adamax), "torch.optim.Adamax", in_torch("Adamax")),
    "adamw": Case(
        adam_like(AdamW, weight_decay=(0.0, 1.0, 0.1, 5.0)),
        "torch.optim.AdamW",
        in_torch("AdamW"),
    ),
    "amsgrad": Case(
        adam_like(AMSGrad), "torch.optim.Adam(amsgrad=True)", in_torch("Adam", amsgrad=True)
    ),
    "lion": Case(
        [
            stack(Lion, beta1=(0.9, 0.95, 0.5, 0.0), beta2=(0.99, 0.98, 0.9, 0.5)),
            stack(Lion, weight_decay=(0.0, 0.01, 1.0, 3.0)),
        ],
        "optax.lion",
        lion_in_optax,
    ),
    "nadam": Case(
        adam_like(NAdam, momentum_decay=(0.0, 0.004, 0.1, 1.0)),
        "torch.optim.NAdam",
        in_torch("NAdam"),
    ),
    "rmsprop": Case(
        [
            stack(RMSprop, TINY_RATES, {"centered": centered}, **fields)
            for centered in (False, True)
            for fields in (
                {},
                {
                    "alpha": (0.99, 0.9, 0.95, 0.999),
                    "epsilon": (1e-8, 1e-3, 1e-2, 0.1),
                    "momentum": (0.0, 0.5, 0.9, 0.8),
                },
            )
        ],
        "torch.optim.RMSprop",
        in_torch("RMSprop"),
    ),
    "sgd": Case(
        [
            stack(SGD, TINY_RATES),
            stack(SGD, TINY_RATES, momentum=(0.0, 0.5, 0.9, 0.95)),
            stack(SGD, TINY_RATES, {"nesterov": True}, momentum=(0.3, 0.5, 0.9, 0.95)),
        ],
        "torch.optim.SGD",
        in_torch("SGD"),
    ),
}


def rosenbrock(w: Array) -> Array:
    """The gradient of Σ 100 (wᵢ₊₁ - wᵢ²)² + (1 - wᵢ)², at rows (R, P)."""
    bend, gradient = w[:, 1:] - w[:, :-1] ** 2, np.zeros_like(w)
    gradient[:, :-1] = -400 * w[:, :-1] * bend - 2 * (1 - w[:, :-1])
    gradient[:, 1:] += 200 * bend
    return gradient


def quadratic(w: Array) -> Array:
    """The gradient of ½ wᵀ A w, A with eigenvalues 0.01 to 100 along directions of no axis."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(WEIGHTS, WEIGHTS)))[0]
    return (turn * np.logspace(-2, 2, WEIGHTS) @ turn.T @ w[..., None])[..., 0]


def differences(case: Case) -> Iterator[float]:
    """Of each member's whole trajectory."""
    for plugins in case.stacks:
        optimizer = columns(plugins, 2, float)
        start = np.random.default_rng(1).uniform(-1, 1, (len(plugins), WEIGHTS))
        for gradient in (rosenbrock, quadratic):
            weights, state, points = start, optimizer.init(start), []
            for _ in range(STEPS):
                change, state = optimizer.update(gradient(weights), state, weights)
                weights = weights + change
                points.append(weights)
            for r, plugin in enumerate(plugins):
                theirs = case.compute(plugin, gradient, start[r])
                yield difference(np.stack(points)[:, r], theirs)
