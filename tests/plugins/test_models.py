from dataclasses import replace

import numpy as np
import pytest
from harness_plugins.activations.piecewise import Identity
from harness_plugins.activations.smooth import Sigmoid, Tanh
from harness_plugins.initializers import Normal
from harness_plugins.losses import MSE
from harness_plugins.models.mlp import MLP, Linear
from harness_plugins.models.rbf import RBF
from harness_plugins.models.residual import ResidualMLP
from harness_plugins.optimizers.momentum import SGD

from harness.training.weights import join_weights, split_weights


def uniform_of(seeds, dtype=float):
    """Dropout's numbers, each row from its own generator; the same on each call."""
    generators = [np.random.default_rng(seed) for seed in seeds]
    return lambda *shape: np.stack([rng.random(shape, dtype) for rng in generators])


def weights_of(model, features, outputs, runs, dtype=float):
    """R runs' weights as rows (R, P), gains not all 1, and the shapes of one run's arrays."""
    arrays = [
        model.init(np.random.default_rng(r), Normal(0.7), features, outputs) for r in range(runs)
    ]
    rows = join_weights([np.stack(layer) for layer in zip(*arrays, strict=True)])
    rows += np.random.default_rng(runs).normal(0, 0.3, rows.shape)
    return rows.astype(dtype), [array.shape for array in arrays[0]]


def test_the_notebook_comes_out():
    rng = np.random.default_rng(42)
    x1, x2 = rng.uniform(-2, 2, 200), rng.uniform(-2, 2, 200)
    y = 1.2 * np.sin(x1) + 0.7 * x2 - 0.3 * x1 * x2 + rng.normal(0, 0.1, 200)
    x, y = np.stack([x1, x2], axis=-1)[None], y[None, :, None]
    model, activation, loss, optimizer = MLP(), Sigmoid(), MSE(), SGD()
    weights = model.init(rng, Normal(), 2, 1)
    shapes = [w.shape for w in weights]
    assert shapes == [(3, 4), (5, 1)]
    rows = join_weights([w[None] for w in weights])
    state, losses = optimizer.init(rows), []
    for _ in range(1001):
        prediction, cache = model.forward(split_weights(rows, shapes), x, activation)
        losses.append(float(loss(prediction, y)[0]))
        gradient = join_weights(model.backward(cache, loss.gradient(prediction, y)))
        change, state = optimizer.update(gradient, state, rows)
        rows = rows + change
    assert losses[0] == pytest.approx(0.8242660887048511, rel=1e-14)
    expected = [0.8233901899350584, 0.6449921576498029, 0.05263959967773058]
    assert [losses[1], losses[100], losses[1000]] == pytest.approx(expected, rel=1e-12)


def test_without_hidden_layers_a_net_is_linear():
    rows, shapes = weights_of(MLP(()), 3, 2, 2)
    x = np.random.default_rng(0).normal(size=(2, 5, 3))
    net, _ = MLP(()).forward(split_weights(rows, shapes), x, Sigmoid())
    linear, _ = Linear().forward(split_weights(rows, shapes), x, Sigmoid())
    w = rows.reshape(2, 4, 2)
    assert (net == linear).all()
    np.testing.assert_allclose(net, x @ w[:, :-1] + w[:, -1:], rtol=1e-12)


def test_dropout_silences_its_share_and_keeps_the_mean():
    model, x = MLP((400,), dropout=0.25), np.ones((1, 500, 1))
    w = [np.zeros((1, 2, 400)), np.concatenate([np.ones((1, 400, 1)), np.zeros((1, 1, 1))], 1)]
    prediction, _ = model.forward(w, x, Sigmoid(), uniform_of([0]))  # each unit says ½
    kept = prediction * 0.75 / 0.5 / 400
    assert kept.mean() == pytest.approx(0.75, abs=0.005)
    assert kept.std() == pytest.approx(np.sqrt(0.75 * 0.25 / 400), rel=0.1)
    assert (model.forward(w, x, Sigmoid())[0] == 200).all()


def test_a_net_without_dropout_asks_for_no_random_numbers():
    rows, shapes = weights_of(MLP(), 2, 1, 1)
    prediction, _ = MLP().forward(
        split_weights(rows, shapes), np.ones((1, 3, 2)), Tanh(), uniform=None
    )
    nobody = pytest.fail
    same, _ = MLP().forward(
        split_weights(rows, shapes), np.ones((1, 3, 2)), Tanh(), uniform=nobody
    )
    assert (prediction == same).all()


def test_layer_norm_forgets_the_scale_of_its_weights():
    model = MLP((8,), layer_norm=True)
    weights = model.init(np.random.default_rng(0), Normal(1.0), 2, 1)
    assert weights[1].tolist() == [[1.0] * 8, [0.0] * 8]
    layers = [w[None] for w in weights]
    x = np.random.default_rng(1).normal(size=(1, 9, 2))
    plain, _ = model.forward(layers, x, Tanh())
    louder, cache = model.forward([layers[0] * 100, *layers[1:]], x, Tanh())
    np.testing.assert_allclose(plain, louder, rtol=1e-2, atol=1e-3)
    z = cache.hidden[0].z
    np.testing.assert_allclose(z.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(z.std(axis=1), 1, rtol=1e-4)


def test_a_residual_net_whose_blocks_add_nothing_is_linear():
    model, x = ResidualMLP(width=5, blocks=3), np.random.default_rng(0).normal(size=(1, 9, 2))
    weights = [w[None] for w in model.init(np.random.default_rng(1), Normal(0.7), 2, 3)]
    assert [w.shape[1:] for w in weights] == [(3, 5), *[(2, 6, 5)] * 3, (6, 3)]
    for block in weights[1:-1]:
        block[:, 1] = 0
    prediction, _ = model.forward(weights, x, Tanh())
    plain, _ = MLP((5,)).forward([weights[0], weights[-1]], x, Identity())
    np.testing.assert_allclose(prediction, plain, rtol=1e-12)


def test_a_radial_basis_function_is_one_at_its_centre_and_falls_with_the_distance():
    centres, sharpness = np.array([[[1.0, 2.0], [-1.0, 0.0]]]), np.array([[[0.5], [2.0]]])
    output = np.array([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]])  # each bump an output of its own
    x = np.array([[[1.0, 2.0], [1.0, 0.0], [-1.0, 0.0], [1e3, 0.0]]])
    prediction, _ = RBF(2).forward([centres, sharpness, output], x, Tanh())
    due = [[1, np.exp(-32)], [np.exp(-1), np.exp(-16)], [np.exp(-2), 1], [0, 0]]
    np.testing.assert_allclose(prediction[0], due, rtol=1e-12)


@pytest.mark.parametrize("features", [1, 2, 64])
def test_radial_basis_functions_begin_as_wide_as_their_examples_are_apart(features):
    weights = RBF(50).init(np.random.default_rng(0), Normal(), features, 1)
    assert [w.shape for w in weights] == [(50, features), (50, 1), (51, 1)]
    x = np.random.default_rng(1).normal(size=(1, 99, features))
    _, cache = RBF(50).forward([w[None] for w in weights], x, Tanh())
    assert 0.2 < cache.bumps[:, :-1].mean() < 0.7


def test_bad_fields_are_refused():
    for model in (ResidualMLP(), RBF()):
        for name in vars(model):
            with pytest.raises(ValueError, match=f"{name} must be 1 or more, not 0"):
                replace(model, **{name: 0})
    for hidden in ((0,), (4, -1)):
        with pytest.raises(ValueError, match="hidden must be widths of 1 or more"):
            MLP(hidden)
    for dropout in (-0.1, 1.0, np.nan):
        with pytest.raises(ValueError, match="dropout must be in"):
            MLP(dropout=dropout)
