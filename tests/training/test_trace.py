"""What is noted of a run on its way: norms of each layer, and weights for a film."""

import numpy as np
import pytest

from harness.config.build import build
from harness.engines.worker import train_stack
from harness.training.data import prepare_for
from harness.training.loop import initial_weights, judge, train
from harness.training.stack import start_group
from harness.training.weights import join_weights, split_weights
from tests.conftest import make_config
from tests.support.stacks import last

WAYS = [
    {"epochs": 9},
    {"epochs": 9, "batch_size": 7, "optimizer": {"name": "adam"}},
    {"epochs": 1},
    {"epochs": 100, "stopping__patience": 3, "optimizer__learning_rate": 0.0001},
]


def result(**changes):
    return last(train_stack(["r"], [make_config(**changes)]))[0]


def sizes(rows, shapes):
    return [np.linalg.norm(layer) for layer in split_weights(rows, shapes)]


def test_norms_are_those_of_each_step_by_layer():
    config = make_config(epochs=9, penalty__l2=0.1)
    member = build(config)
    prepared = prepare_for(member)
    x, y = prepared.ready("train", "regression", "float64")
    rows, shapes, streams = initial_weights([member], prepared, 2, 1)
    stack, expected = start_group([member], rows, streams).stack, []
    for number, epoch in enumerate(train(start_group([member], rows, streams), x, y, shapes)):
        if number:
            prediction, cache = stack.model.forward(
                split_weights(rows, shapes), x[None], stack.activation
            )
            gradient = stack.model.backward(cache, judge(stack, prediction, y[None], rows)[1])
            gradient = join_weights(gradient) + 0.1 * rows
            change = epoch.group.rows - rows
            every = [sizes(part, shapes) for part in (gradient, change, epoch.group.rows)]
            expected.append(np.concatenate(every))
        rows = epoch.group.rows
        if number == 9:
            break
    trail = result(epochs=9, penalty__l2=0.1).trail
    assert trail["norms_epochs"].tolist() == [*range(1, 10)]
    assert np.allclose(trail["norms"], expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("way", WAYS)
def test_the_first_and_the_last_step_are_always_noted(way):
    made = result(**way)
    epochs = made.trail["norms_epochs"]
    assert epochs[0] == 1
    assert epochs[-1] == made.last_epoch
    assert (np.diff(epochs) > 0).all()


def test_a_long_run_is_noted_at_a_bounded_number_of_epochs():
    made = result(epochs=1234, figures__timeline=True)
    assert len(made.trail["norms"]) <= 50
    assert len(made.trail["film"]) == len(made.trail["film_epochs"]) == 12
    assert made.trail["film_epochs"][[0, 1, -1]].tolist() == [0, 1, 1234]


def test_the_film_is_of_the_weights_as_they_were_and_only_if_asked_for():
    made = result(epochs=8, figures__timeline=True, validation=0.0)
    assert "film" not in result(epochs=8).trail
    weights = np.concatenate([layer.ravel() for layer in made.weights])
    assert np.array_equal(made.trail["film"][-1], weights)
    for epoch, row in zip(made.trail["film_epochs"], made.trail["film"], strict=True):
        if epoch:
            shorter = result(epochs=int(epoch), validation=0.0).weights
            assert np.array_equal(row, np.concatenate([layer.ravel() for layer in shorter]))
