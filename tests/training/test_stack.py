"""Columns, and what lets runs share a stack."""

from dataclasses import dataclass

import numpy as np
import pytest
from harness_plugins.optimizers.momentum import SGD

from harness.config.build import build
from harness.training.stack import Streams, columns, float_fields, signature, start_group
from tests.conftest import make_config


@dataclass(frozen=True)
class Odd:
    a: float = 1.0
    b: float | None = None
    c: int = 2
    d: bool = False


def member(**changes):
    return build(make_config(**changes))


def test_only_fields_annotated_exactly_float_become_columns():
    assert float_fields(Odd) == ("a",)
    stacked = columns([Odd(1.0), Odd(2.5)], 3, "float32")
    assert stacked.a.shape == (2, 1, 1)
    assert stacked.a.dtype == np.float32
    assert (stacked.b, stacked.c, stacked.d) == (None, 2, False)


def test_columns_leave_the_plugins_themselves_alone():
    plugin = SGD(learning_rate=0.5)
    columns([plugin, plugin], 2, "float64")
    assert plugin == SGD(learning_rate=0.5)


@pytest.mark.parametrize(
    "free",
    [
        {"seed": 9},
        {"optimizer__learning_rate": 0.7},
        {"optimizer__momentum": 0.9},
        {"initializer": {"name": "he"}},
        {"penalty": {"l1": 1.0, "l2": 0.0}},
        {"clip": {"value": 1.0, "norm": None}},
        {"stopping": {"patience": 3, "min_delta": 0.0, "max_seconds": 9.0}},
        {"metrics": ["mae"]},
        {"tracking__log_every": 7},
    ],
    ids=str,
)
def test_runs_that_differ_in_these_share_a_stack(free):
    assert signature(member(**free)) == signature(member())


@pytest.mark.parametrize(
    "bound",
    [
        {"dataset__samples": 61},
        {"dataset__noise": 0.2},
        {"data_seed": 1},
        {"validation": 0.3},
        {"test": 0.1},
        {"standardize": True},
        {"model__hidden": [5]},
        {"dtype": "float32"},
        {"batch_size": 8},
        {"epochs": 11},
        {"activation": {"name": "tanh"}},
        {"optimizer__nesterov": True},
        {"optimizer": {"name": "adam"}},
        {"schedule": {"name": "cosine"}},
    ],
    ids=str,
)
def test_runs_that_differ_in_these_do_not(bound):
    assert signature(member(**bound)) != signature(member())


def test_under_one_generator_the_seed_decides_the_data_and_so_the_stack():
    one, other = (member(rng="single", data_seed=None, seed=seed) for seed in (1, 2))
    assert signature(one) != signature(other)


def group(*rates):
    members = [member(optimizer={"name": "adam", "learning_rate": rate}) for rate in rates]
    rngs = np.array([np.random.default_rng(int(rate * 10)) for rate in rates], object)
    return start_group(members, np.array([[rate] * 5 for rate in rates]), Streams(rngs, rngs))


def test_a_group_keeps_all_that_belongs_to_the_runs_that_stay():
    three = group(0.1, 0.2, 0.3)
    left = three.take(np.array([True, False, True]))
    assert left.stack.optimizer.learning_rate.tolist() == [[0.1], [0.3]]
    assert [m.optimizer.learning_rate for m in left.stack.members] == [0.1, 0.3]
    assert left.rows[:, 0].tolist() == [0.1, 0.3]
    assert [len(part) for part in left.state] == [2, 2, 2]
    assert left.streams.batches.tolist() == three.streams.batches[[0, 2]].tolist()
