"""Faster forms that a plugin may offer, `out=` and `with_gradient`: without them the same bits."""

import dataclasses

import pytest
from harness_plugins.activations.piecewise import Hardtanh, ReLU
from harness_plugins.activations.smooth import Sigmoid, Tanh
from harness_plugins.losses import MSE, Huber, SoftmaxCrossEntropy

from harness.config.build import build
from harness.numerics import takes_out
from harness.training.loop import gives_both
from harness.training.session import TrainingSession
from tests.conftest import make_config
from tests.support.stacks import assert_same

IN_PLACE = [Sigmoid(), Tanh(), ReLU(), Hardtanh()]


def without_out(activation):
    """A plugin like this one that does not know `out=`."""

    class Plain(type(activation)):
        def __call__(self, z):
            return super().__call__(z)

    return Plain()


def apart(loss):
    """A loss like this one that computes itself and its gradient each on its own."""

    class Apart(type(loss)):
        def __call__(self, prediction, y):
            return loss(prediction, y)

        def gradient(self, prediction, y):
            return loss.gradient(prediction, y)

    return Apart()


def trained(config, **changes):
    members = [build({**config, "seed": seed}) for seed in range(3)]
    members = [dataclasses.replace(member, **changes) for member in members]
    return [*TrainingSession(members, ["a", "b", "c"]).results()][-1]


@pytest.mark.parametrize("activation", IN_PLACE, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [None, 20])
def test_an_activation_without_out_gives_the_same_bits(activation, dtype, size):
    config = make_config(model={"name": "mlp", "hidden": [33, 4]}, dtype=dtype, batch_size=size)
    plain = without_out(activation)
    assert takes_out(activation.__call__)
    assert not takes_out(plain.__call__)
    results = trained(config, activation=activation), trained(config, activation=plain)
    for one, other in zip(*results, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize(
    ("dataset", "loss"),
    [("surface", MSE()), ("surface", Huber(0.1)), ("iris", SoftmaxCrossEntropy())],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loss_without_a_gradient_beside_it_gives_the_same_bits(dataset, loss, dtype):
    config = make_config(dataset={"name": dataset}, batch_size=20, dtype=dtype)
    if dataset == "iris":
        config["loss"] = {"name": "softmax_cross_entropy"}
    results = trained(config, loss=loss), trained(config, loss=apart(loss))
    for one, other in zip(*results, strict=True):
        assert_same(one, other)


def test_a_loss_that_redefines_a_method_is_asked_for_each_on_its_own():
    """Else its parent's `with_gradient` would be trained on, and nobody told."""

    class Steeper(MSE):
        def gradient(self, prediction, y):
            return 2 * super().gradient(prediction, y)

    class Both(MSE):
        def with_gradient(self, prediction, y):
            loss, delta = super().with_gradient(prediction, y)
            return loss, 2 * delta

    class Named(MSE):
        """Inherits all three."""

    config = make_config(optimizer={"name": "sgd", "learning_rate": 0.1})
    twice = trained(make_config(optimizer={"name": "sgd", "learning_rate": 0.2}))
    for loss, like in (Steeper(), twice), (Both(), twice), (Named(), trained(config)):
        for one, other in zip(trained(config, loss=loss), like, strict=True):
            assert_same(*(dataclasses.replace(r, trail={}) for r in (one, other)))
    assert [gives_both(kind) for kind in (Steeper, Both, Named)] == [False, True, True]
