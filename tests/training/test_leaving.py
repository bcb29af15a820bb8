"""Runs that leave a stack early: each run has the bits of the run alone, whatever others do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines.worker import train_stack
from tests.conftest import make_config
from tests.support.stacks import OWN, SHARED, assert_same, last, unlucky


@settings(max_examples=60, deadline=None)
@given(shared=SHARED, own=st.lists(OWN, min_size=1, max_size=9))
def test_a_stack_that_runs_leave_gives_each_run_the_bits_of_the_run_alone(shared, own):
    shared["dataset"] = {"name": "surface", "samples": 40}
    configs = [make_config(**shared, **each, seed=seed) for seed, each in enumerate(own)]
    names = [str(i) for i in range(len(configs))]
    together = last(train_stack(names, configs, unlucky))
    assert [result.fingerprint for result in together] == names
    for name, config, result in zip(names, configs, together, strict=True):
        assert_same(last(train_stack([name], [config], prune=unlucky))[0], result)


def test_a_pruned_run_says_when_and_keeps_what_it_has():
    asked = []

    def prune(name, epoch, loss):
        asked.append((name, epoch, loss))
        return name == "b" and epoch == 12

    configs = [make_config(epochs=50, seed=seed) for seed in range(2)]
    going_on, pruned = last(train_stack(["a", "b"], configs, prune=prune))
    assert (going_on.outcome, pruned.outcome) == ("ok", "pruned")
    assert pruned.reason == "pruned at epoch 12"
    assert pruned.last_epoch == 12
    assert pruned.curves["val/loss"].steps[-1] == 12
    assert {"val/r2", "val/best_loss"} <= pruned.metrics.keys()
    assert pruned.weights
    assert [epoch for name, epoch, _ in asked if name == "a"] == [*range(3, 50, 3)]
    losses = going_on.curves["val/loss"].values
    assert [loss for name, _, loss in asked if name == "a"] == losses[3:50:3].tolist()


def test_without_validation_the_training_loss_is_what_pruning_is_asked_of():
    asked = []
    config = make_config(epochs=40, validation=0.0)
    result = last(train_stack(["a"], [config], prune=lambda *said: asked.append(said[2])))[0]
    assert asked == result.curves["train/loss"].values[2:40:2].tolist()


def test_runs_share_the_time_of_their_stack():
    configs = [make_config(epochs=300, seed=seed) for seed in range(4)]
    results = last(train_stack([*"abcd"], configs))
    [began] = {result.started for result in results}
    shares = [result.metrics["train/seconds"] for result in results]
    whole = (max(result.ended for result in results) - began) / 1000
    assert sum(shares) == pytest.approx(whole, abs=0.005)


def test_results_of_runs_that_ended_come_before_the_last_has(monkeypatch):
    monkeypatch.setattr("harness.training.session.SNAPSHOT_SECONDS", 0.0)
    patient = {"patience": 2, "min_delta": 100.0, "max_seconds": None}
    configs = [make_config(epochs=20), make_config(epochs=20, stopping=patient)]
    lists = [
        [result.fingerprint for result in results if result.outcome != "running"]
        for results in train_stack([*"ab"], configs)
    ]
    assert [names for names in lists if names] == [["b"], ["a"]]
