import math

import numpy as np
import pytest
from harness_plugins.optimizers.adam import Adam, Adamax, AdamW, AMSGrad, NAdam
from harness_plugins.optimizers.adaptive import Adagrad, RMSprop
from harness_plugins.optimizers.momentum import SGD, Lion

from harness.training.stack import columns
from tests.plugins.references.optimizers import CASES

BY_HAND = [plugins for name in ("sgd", "adam", "adamw") for plugins in CASES[name].stacks]
STACKS = [plugins for case in CASES.values() for plugins in case.stacks]
each_stack = pytest.mark.parametrize("plugins", STACKS, ids=lambda plugins: repr(plugins[1]))


def gradient_at(weights, step):
    """A different gradient for each weight, run and step, from the row alone."""
    return np.sin(weights * 3 + step) * weights


def start(runs=4, dtype=float):
    return np.random.default_rng(0).normal(size=(runs, 11)).astype(dtype)


def descend(optimizer, weights, steps, state=None, first=0):
    state = optimizer.init(weights) if state is None else state
    for step in range(first, first + steps):
        change, state = optimizer.update(gradient_at(weights, step), state, weights)
        weights = weights + change
    return weights, state


def sgd_by_hand(o, w, steps):
    v = 0.0
    for t in range(steps):
        g = math.sin(w * 3 + t) * w
        v = o.momentum * v + g
        w -= o.learning_rate * (g + o.momentum * v if o.nesterov else v)
    return w


def adam_by_hand(o, w, steps):
    m = v = 0.0
    for t in range(steps):
        g = math.sin(w * 3 + t) * w
        m = o.beta1 * m + (1 - o.beta1) * g
        v = o.beta2 * v + (1 - o.beta2) * g**2
        m_hat, v_hat = m / (1 - o.beta1 ** (t + 1)), v / (1 - o.beta2 ** (t + 1))
        w -= o.learning_rate * getattr(o, "weight_decay", 0.0) * w
        w -= o.learning_rate * m_hat / (math.sqrt(v_hat) + o.epsilon)
    return w


@pytest.mark.parametrize("plugins", BY_HAND, ids=lambda plugins: repr(plugins[1]))
def test_the_trajectory_is_that_of_the_formula(plugins):
    weights = start()
    after, _ = descend(columns(plugins, 2, float), weights, 20)
    for row, end, plugin in zip(weights, after, plugins, strict=True):
        by_hand = sgd_by_hand if isinstance(plugin, SGD) else adam_by_hand
        expected = [by_hand(plugin, float(w), 20) for w in row]
        np.testing.assert_allclose(end, expected, rtol=1e-11)


@each_stack
def test_without_a_gradient_nothing_moves_but_by_decay(plugins):
    weights, optimizer = start(), columns(plugins, 2, float)
    decay = getattr(optimizer, "weight_decay", 0.0)
    state = optimizer.init(weights)
    for _ in range(3):
        change, state = optimizer.update(np.zeros_like(weights), state, weights)
        np.testing.assert_allclose(change, -optimizer.learning_rate * decay * weights, rtol=1e-15)


def test_weight_decay_pulls_even_without_a_gradient():
    weights, optimizer = start(), AdamW(0.5, weight_decay=0.25)
    change, _ = optimizer.update(np.zeros_like(weights), optimizer.init(weights), weights)
    assert (change == -0.125 * weights).all()


def test_momentum_0_is_gradient_descent_to_the_bit():
    weights, optimizer = start(), columns([SGD(rate) for rate in (0.01, 0.3, 1, 2)], 2, float)
    state = optimizer.init(weights)
    for step in range(5):
        gradient = gradient_at(weights, step)
        change, state = optimizer.update(gradient, state, weights)
        assert (change == -(optimizer.learning_rate * gradient)).all()
        weights = weights + change


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient():
    gradient = np.array([[1e-3, -1.0, 1e6]])
    optimizer = Adam(0.01)
    change, state = optimizer.update(gradient, optimizer.init(gradient), gradient)
    np.testing.assert_allclose(change, [[-0.01, 0.01, -0.01]], rtol=2e-5)
    assert state.step.tolist() == [[1]]
    assert (state.gradient == gradient).all()
    assert (state.square == gradient**2).all()


def test_each_step_of_lion_is_the_learning_rate_whatever_the_gradient():
    weights, optimizer = start(), Lion(0.25)
    after, _ = descend(optimizer, weights, 1)
    np.testing.assert_allclose(np.abs(after - weights), 0.25, rtol=1e-14)


def test_a_variance_that_rounds_to_less_than_0_is_0():
    optimizer, gradient = RMSprop(alpha=0.5, centered=True), np.full((1, 3), 0.1)
    state = optimizer.init(gradient)
    for _ in range(100):
        change, state = optimizer.update(gradient, state, gradient)
        assert np.isfinite(change).all()


@pytest.mark.parametrize(
    ("plugin", "fields"),
    [
        (SGD, {"learning_rate": 0.0}),
        (SGD, {"learning_rate": math.inf}),
        (SGD, {"momentum": 1.0}),
        (SGD, {"momentum": math.nan}),
        (Adam, {"learning_rate": -1.0}),
        (Adam, {"beta1": 1.0}),
        (Adam, {"beta2": -0.1}),
        (Adam, {"epsilon": 0.0}),
        (AdamW, {"epsilon": math.inf}),
        (AdamW, {"weight_decay": -0.1}),
        (AdamW, {"weight_decay": math.inf}),
        (Adamax, {"epsilon": 0.0}),
        (AMSGrad, {"beta2": 1.0}),
        (NAdam, {"momentum_decay": -1.0}),
        (Lion, {"weight_decay": -0.1}),
        (Adagrad, {"initial_accumulator_value": -0.1}),
        (RMSprop, {"alpha": 1.0}),
        (RMSprop, {"momentum": 1.0}),
    ],
)
def test_bad_fields_are_refused(plugin, fields):
    with pytest.raises(ValueError, match=f"^{next(iter(fields))} must be"):
        plugin(**fields)
