"""The one loop: the notebook's numbers, and bits that do not depend on company."""

import platform
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config.build import build
from harness.engines.worker import train_stack
from harness.training.loop import clipped, penalised, predict, train, with_penalty
from harness.training.stack import Streams, make_stack, start_group
from tests.conftest import make_config
from tests.support.stacks import assert_same, last

NOTEBOOK = {
    "seed": 42,
    "data_seed": None,
    "rng": "single",
    "epochs": 1000,
    "validation": 0.0,
    "dataset": {"name": "surface"},
    "optimizer__learning_rate": 0.05,
}


def train_alone_and_together(configs):
    """Each run alone, then all of them as one stack."""
    names = [str(i) for i in range(len(configs))]
    alone = [last(train_stack([n], [c]))[0] for n, c in zip(names, configs, strict=True)]
    return alone, last(train_stack(names, configs))


def test_notebook_numbers_come_out():
    result = last(train_stack(["notebook"], [make_config(**NOTEBOOK)]))[0]
    losses = result.curves["train/loss"].values
    exact = platform.system() == "Linux" and platform.machine() == "x86_64"
    assert losses[0] == pytest.approx(0.8242660887048511, rel=0 if exact else 1e-14, abs=0)
    assert losses[1] == pytest.approx(0.8233901899350584, rel=1e-12, abs=0)
    assert losses[100] == pytest.approx(0.6449921576498029, rel=1e-12, abs=0)
    assert losses[1000] == pytest.approx(0.05263959967773058, rel=1e-12, abs=0)


VARIED = [
    {"seed": 1, "optimizer__learning_rate": 0.01},
    {"seed": 2, "optimizer__learning_rate": 0.3, "initializer": {"name": "glorot"}},
    {"seed": 3, "clip": {"value": 0.01, "norm": None}},
    {"seed": 4, "clip": {"value": None, "norm": 0.02}, "penalty": {"l1": 0.01, "l2": 0.1}},
    {"seed": 5, "optimizer__learning_rate": 1e6},
    {"seed": 6, "stopping": {"patience": 3, "min_delta": 10.0, "max_seconds": None}},
    {"seed": 7},
]
WORLDS = {
    "full batch": {},
    "mini-batch": {"batch_size": 7, "epochs": 5},
    "no validation": {"validation": 0.0, "test": 0.2},
    "float32": {"dtype": "float32"},
    "dropout and layer norm": {
        "model": {"name": "mlp", "hidden": [8, 5], "dropout": 0.3, "layer_norm": True},
        "batch_size": 16,
        "epochs": 5,
    },
    "adam": {"optimizer": {"name": "adam"}, "schedule": {"name": "warmup_cosine"}},
    "classes": {
        "dataset": {"name": "blobs", "samples": 60},
        "loss": {"name": "softmax_cross_entropy"},
        "activation": {"name": "swish"},
    },
    "two classes": {"dataset": {"name": "moons", "samples": 60}, "loss": {"name": "bce"}},
    "real data": {
        "dataset": {"name": "iris"},
        "loss": {"name": "softmax_cross_entropy"},
        "batch_size": 20,
    },
}


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_runs_have_the_same_bits_alone_and_stacked(world):
    configs = [make_config(**{**WORLDS[world], **varied}) for varied in VARIED]
    alone, together = train_alone_and_together(configs)
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


def test_bits_do_not_depend_on_order_neighbours_or_stack_size():
    configs = [make_config(seed=s, optimizer__learning_rate=0.1 * (s + 1)) for s in range(9)]
    names = [str(s) for s in range(9)]
    reference = last(train_stack(names, configs))
    for order in ([8, 3, 5, 0], [2], [7, 6, 5, 4, 3, 2, 1, 0], [0, 4]):
        chosen = last(train_stack([names[i] for i in order], [configs[i] for i in order]))
        for i, result in zip(sorted(order), chosen, strict=True):
            assert_same(reference[i], result)


@settings(max_examples=25, deadline=None)
@given(
    hidden=st.lists(st.integers(1, 9), max_size=3),
    samples=st.integers(5, 40),
    size=st.none() | st.integers(1, 50),
    rates=st.lists(st.floats(1e-3, 2.0), min_size=2, max_size=4),
    activation=st.sampled_from(["sigmoid", "tanh", "relu", "swish", "leaky_relu", "identity"]),
)
def test_any_net_has_the_same_bits_alone_and_stacked(hidden, samples, size, rates, activation):
    configs = [
        make_config(
            dataset={"name": "surface", "samples": samples},
            model={"name": "mlp", "hidden": hidden},
            activation={"name": activation},
            batch_size=size,
            epochs=3,
            seed=seed,
            optimizer__learning_rate=rate,
        )
        for seed, rate in enumerate(rates)
    ]
    alone, together = train_alone_and_together(configs)
    for one, other in zip(alone, together, strict=True):
        assert_same(one, other)


def test_full_batch_loss_at_step_e_is_of_the_weights_after_e_updates():
    member = build(make_config(validation=0.0, epochs=3))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(20, 1))
    shapes = [(3, 4), (5, 1)]
    rows = rng.normal(size=(1, 17))
    group = start_group([member], rows, Streams([rng], [rng]))
    for number, epoch in zip(range(4), train(group, x, y, shapes), strict=False):
        prediction = predict(group.stack, epoch.group.rows, shapes, x)
        assert epoch.loss == group.stack.loss(prediction, y[None])
        assert epoch.group.number == number


def test_mini_batch_loss_is_the_mean_of_the_batch_losses_met():
    member = build(make_config(validation=0.0, epochs=1, batch_size=8))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(20, 1))
    shapes, rows = [(3, 4), (5, 1)], rng.normal(size=(1, 17))
    order = np.random.default_rng(3).permutation(20)
    streams = Streams([np.random.default_rng(3)], [rng])
    group = start_group([member], rows, streams)
    epochs = [*islice(train(group, x, y, shapes), 2)]
    prediction = predict(group.stack, rows, shapes, x)
    assert epochs[0].loss == group.stack.loss(prediction, y[None])
    met, at = [], rows
    for part in (order[:8], order[8:16], order[16:]):
        batch = build(make_config(validation=0.0, epochs=1))
        steps = train(start_group([batch], at, streams), x[part], y[part], shapes)
        met.append(next(steps).loss[0])
        at = next(steps).group.rows
    assert epochs[1].loss[0] == pytest.approx(np.mean(met), rel=1e-12)
    assert np.allclose(epochs[1].group.rows, at, rtol=1e-12)


def test_penalty_is_part_of_the_training_loss_and_its_gradient():
    penalty = {"l1": 0.3, "l2": 0.7}
    one = make_stack([build(make_config(penalty=penalty))])
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(1, 17))

    def paid(w):
        return with_penalty(one, np.zeros(1), w)[0]

    expected = 0.3 * np.abs(rows).sum() + 0.35 * (rows**2).sum()
    assert paid(rows) == pytest.approx(expected, rel=1e-12)
    numeric = [(paid(rows + h) - paid(rows - h)) / 2e-6 for h in np.eye(17)[:, None] * 1e-6]
    gradient = penalised(one, np.zeros((1, 17)), rows)
    np.testing.assert_allclose(gradient[0], numeric, rtol=1e-6)


def test_clipping_bounds_each_value_or_the_norm_of_the_runs_that_ask():
    bounds = [(0.5, None), (None, 1.0), (None, None)]
    clips = [{"value": value, "norm": norm} for value, norm in bounds]
    three = make_stack([build(make_config(clip=clip)) for clip in clips])
    gradient = np.array([[3.0, -4.0, 0.1], [3.0, -4.0, 0.0], [3.0, -4.0, 0.1]])
    cut = clipped(three, gradient.copy())
    assert cut[0].tolist() == [0.5, -0.5, 0.1]
    np.testing.assert_allclose(cut[1], [0.6, -0.8, 0.0], rtol=1e-15)
    assert cut[2].tolist() == gradient[2].tolist()
