"""Patience, divergence, time limits, and which points and weights are kept."""

import numpy as np
import pytest

from harness.config.build import build
from harness.engines.worker import train_stack
from harness.training.history import History, initial_state, make_limits
from harness.training.loop import Epoch
from harness.training.stack import Group
from harness.training.stopping import Stopping
from tests.conftest import make_config


def members(*changes):
    return [build(make_config(epochs=6, **each)) for each in changes]


def epoch(number, loss, rows):
    numbers = np.full(len(loss), number)
    return Epoch(Group(None, numbers, np.asarray(rows, float), None, None, loss), loss)


class Seen:
    """How runs ended, by run, and the points of their curves."""

    def __init__(self, stopping, history):
        state, ends = stopping.pop_ended()
        self.outcome, self.reason = ([end[at] for end in ends] for at in range(2))
        self.last_epoch, self.best_epoch = state.epoch.tolist(), state.best_epoch.tolist()
        self.best_loss = state.best_loss.tolist()
        self.rows, self.best_rows = state.rows, state.best_rows
        self.curve = lambda run: history.series(run)["loss"].T


def start(members, rows, history=None, prune=None):
    """A Stopping of runs before their first epoch."""
    state, limits = initial_state(rows, 0.0), make_limits(members, prune is not None)
    validated = members[0].validation > 0
    return Stopping(state, limits, history or History(), prune, validated=validated)


def watch(losses, *changes, validation=True, prune=None):
    """How runs with these (epochs, R) losses end; weights are epoch and run."""
    losses = np.asarray(losses, float)
    changes = changes or ({},) * losses.shape[1]
    if not validation:
        changes = [{"validation": 0.0, **each} for each in changes]
    rows, history = np.array([[0.0, r] for r in range(losses.shape[1])]), History()
    seen = start(members(*changes), rows, history, prune)
    for number, loss in enumerate(losses):
        loss = loss[seen.runs]
        here = np.column_stack([np.full(len(loss), number), seen.runs])
        seen.see(epoch(number, loss, here), loss if validation else None, number * 1.0)
        if not len(seen.runs):
            break
    return Seen(seen, history)


def test_the_best_epoch_gives_the_weights_where_there_is_a_validation_part():
    seen = watch([[3, 3], [2, 4], [1, 2], [2, 1], [3, 3], [3, 3], [3, 3]])
    assert seen.best_epoch == [2, 3]
    assert seen.best_rows.tolist() == [[2, 0], [3, 1]]
    assert seen.best_loss == [1, 1]
    assert seen.outcome == ["ok", "ok"]


def test_without_one_the_last_weights_stay():
    seen = watch([[3], [1], [2], [3], [3], [3], [4]], validation=False)
    assert seen.best_epoch == [1]
    assert seen.rows.tolist() == [[6, 0]]


def test_patience_ends_a_run_and_leaves_its_neighbour():
    patient = {"stopping": {"patience": 2, "min_delta": 0.0, "max_seconds": None}}
    seen = watch([[3, 3], [1, 2], [2, 1], [2, 1], [0, 1], [0, 1], [0, 0]], patient, {})
    assert seen.last_epoch == [3, 6]
    assert seen.reason == ["patience", ""]
    assert seen.outcome == ["ok", "ok"]
    assert seen.best_rows.tolist() == [[1, 0], [6, 1]]


def test_an_improvement_below_min_delta_does_not_count():
    stubborn = {"stopping": {"patience": 2, "min_delta": 0.5, "max_seconds": None}}
    seen = watch([[3.0], [2.9], [2.8], [2.7], [2.6], [2.5], [2.4]], stubborn)
    assert seen.last_epoch == [2]
    assert seen.best_epoch == [2]


def test_time_ends_a_run_well():
    hasty = {"stopping": {"patience": None, "min_delta": 0.0, "max_seconds": 2.0}}
    seen = watch([[3.0]] * 7, hasty, validation=False)
    assert (seen.last_epoch[0], seen.outcome[0], seen.reason[0]) == (2, "ok", "max_seconds")
    assert seen.rows.tolist() == [[2, 0]]


def test_a_run_that_had_its_own_share_of_time_fails():
    slow = {"run": {"timeout": 1.0, "checkpoint_seconds": 30}}
    seen = watch([[3.0] * 2] * 7, slow, {}, validation=False)
    assert seen.last_epoch == [2, 6]
    assert seen.outcome == ["failed", "ok"]
    assert seen.reason == ["run.timeout=1: its time was over at epoch 2", ""]


@pytest.mark.parametrize("validation", [True, False])
def test_a_diverged_run_keeps_its_finite_history(validation):
    seen = watch(
        [[3, 3], [2, 2], [1, np.inf], [1, 1], [1, 1], [1, 1], [0, 1]], validation=validation
    )
    assert seen.outcome == ["ok", "diverged"]
    assert seen.reason[1] == "loss or weights not finite at epoch 2"
    steps, _, train, _ = seen.curve(1)
    assert steps.tolist() == [0, 1]
    assert train.tolist() == [3, 2]
    assert seen.rows.tolist() == [[6, 0], [1, 1]]


def test_a_run_whose_weights_overflow_while_its_loss_does_not_has_diverged():
    seen = start(members({}), np.zeros((1, 2)))
    stays = seen.see(epoch(0, np.ones(1), [[0.0, np.inf]]), np.ones(1), 0.0)
    assert not stays.any()
    state, [(outcome, *_)] = seen.pop_ended()
    assert outcome == "diverged"
    assert np.isfinite(state.rows).all()


def test_a_curve_keeps_about_two_hundred_points_first_and_last_always():
    configs = [make_config(epochs=1001, tracking__log_every=every) for every in (None, 300, 1)]
    results = [*train_stack(["a", "b", "c"], configs)][-1]
    steps = [result.curves["train/loss"].steps.tolist() for result in results]
    assert steps[0] == [*range(0, 1001, 6), 1001]
    assert steps[1] == [0, 300, 600, 900, 1001]
    assert steps[2] == [*range(1002)]


def test_metrics_on_the_way_come_where_they_are_asked_for():
    configs = [make_config(epochs=10, tracking__metrics_every=every) for every in (None, 4)]
    quiet, talkative = [*train_stack(["a", "b"], configs)][-1]
    assert set(quiet.curves) == {"train/loss", "val/loss"}
    assert talkative.curves["val/r2"].steps.tolist() == [0, 4, 8]
    assert {"val/r2", "val/rmse", "val/mae", "val/best_loss"} <= set(talkative.metrics)


@pytest.mark.parametrize("validation", [True, False])
def test_a_run_whose_loss_has_exploded_at_its_end_has_diverged(validation):
    text = "loss above 1e6 times that of epoch 0, and not falling, at epoch 6"
    ends = {  # the losses of epochs 0 to 6, and whether it diverged
        (1, 1e10, 1e100, 1e200, 1e250, 1e280, 1e285): True,
        (1, 0.1, 0.01, 0.01, 0.01, 0.01, 1.1e6): True,
        (1, 1e7, 1e7, 1e7, 1e7, 1e7, 1e7): True,
        (1, 1e9, 1e9, 1e9, 1e9, 1e9, 1e8): False,  # it falls
        (1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.9e6): False,
        (1e-20, 1e-9, 1e-8, 1e-8, 1e-8, 1e-8, 0.9e-6): False,  # next to an exact first guess
        (1e-20, 1e-9, 1e-8, 1e-8, 1e-8, 1e-8, 1.1e-6): True,
    }
    ended = watch(np.array([*ends]).T, validation=validation)
    assert ended.outcome == ["diverged" if bad else "ok" for bad in ends.values()]
    assert ended.reason == [text if bad else "" for bad in ends.values()]


def test_a_run_that_explodes_until_its_patience_is_over_says_so():
    ended = watch(np.geomspace(1, 1e30, 7)[:, None], {"stopping": PATIENT})
    assert (ended.outcome, ended.last_epoch) == (["diverged"], [2])
    [reason] = ended.reason
    assert reason.startswith("patience: loss above 1e6 times that of epoch 0")
    early = watch(np.geomspace(1, 1e6, 7)[:, None], {"stopping": PATIENT})
    assert (early.outcome, early.reason) == (["ok"], ["patience"])


PATIENT = {"patience": 2, "min_delta": 0.0, "max_seconds": None}
