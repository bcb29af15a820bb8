"""A look inside a net: first weights, gradient and hidden units, for any model."""

import numpy as np
import pytest

from harness.analysis.introspect import inspect_net
from harness.config import registry
from harness.config.build import build
from harness.contracts import Hidden, Inside
from harness.engines.worker import train_stack
from harness.numerics import with_ones
from harness.training.data import prepare_for
from harness.training.loop import predict
from harness.training.stack import make_stack
from harness.training.weights import join_weights
from tests.conftest import make_config
from tests.support.stacks import last

MODELS = {"linear": 0, "mlp": 1, "rbf": 0, "residual_mlp": 2}  # how often each asks its activation


def looked(**changes):
    """A run's config, its result, what it learned from, and what is inside."""
    config = make_config(epochs=20, **changes)
    [result] = last(train_stack(["r"], [config]))
    member = build(config)
    prepared = prepare_for(member)
    x, y = prepared.ready("train", member.loss.task, member.dtype)
    return member, result, x, y, inspect_net(member, prepared, result.weights)


def test_the_gradient_is_the_slope_of_the_training_loss():
    member, result, x, y, inside = looked(penalty__l2=0.1)
    shapes = [w.shape for w in result.weights]
    row = join_weights([w[None] for w in result.weights])
    gradient = join_weights([g[None] for g in inside.gradient])[0]
    one = make_stack([member])

    def loss(row):
        return one.loss(predict(one, row, shapes, x), y[None])[0] + 0.05 * (row * row).sum()

    for k in range(row.size):
        aside = np.zeros_like(row)
        aside[0, k] = 1e-6
        slope = (loss(row + aside) - loss(row - aside)) / 2e-6
        assert gradient[k] == pytest.approx(slope, abs=1e-8)


def test_hidden_units_are_seen_as_they_are():
    _, result, x, _, inside = looked()
    z = with_ones(x[None])[0] @ result.weights[0]
    [seen] = inside.hidden
    h = 1 / (1 + np.exp(-z))
    assert np.allclose(seen.z, z.T)
    assert np.allclose(seen.h, h.T)
    assert np.allclose(seen.slope, (h * (1 - h)).T)
    assert inside.steepest == pytest.approx(0.25)


def test_the_first_weights_are_those_before_training():
    *_, inside = looked()
    short = make_config(epochs=1, optimizer__learning_rate=1e-300)
    [untrained] = last(train_stack(["r"], [short]))
    for now, then in zip(inside.initial, untrained.weights, strict=True):
        assert np.array_equal(now, then)


@pytest.mark.parametrize("model", registry.plugin_names("model"))
def test_every_model_can_be_looked_into(model):
    _, result, x, _, inside = looked(model={"name": model})
    shapes = [w.shape for w in result.weights]
    assert [g.shape for g in inside.gradient] == [w.shape for w in inside.initial] == shapes
    assert len(inside.hidden) == MODELS[model]
    assert all(len(part.z.T) <= len(x) for part in inside.hidden)


def test_a_model_that_keeps_its_examples_in_another_axis_is_understood():
    *_, inside = looked(model={"name": "mlp", "hidden": [48]})  # as wide as there are examples
    assert inside.hidden[0].z.shape[0] == 48
    assert inside.hidden[0].z.shape[1] < 48


def test_units_are_told_apart_by_their_slopes():
    slopes = np.tile([[0.2], [0.0024], [0.0], [-0.0]], 40)
    slopes[3, :2] = 0.2  # as little as that wakes a unit, but not much
    inside = Inside([], [], [Hidden(slopes, slopes, slopes)], 0.25)
    assert inside.states() == [{"learning": 1, "saturated": 2, "dead": 1}]
