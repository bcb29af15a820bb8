"""Checkpoints: a run that goes on from one has the bits of a run that was never disturbed."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config import registry
from harness.engines.worker import train_stack
from harness.store import npz
from tests.conftest import make_config
from tests.support.stacks import OWN, SHARED, assert_same, last, unlucky

OFTEN = {"timeout": None, "checkpoint_seconds": 1e-9}


def until(snapshot, *stack):
    """What there is when a stack is killed as it shows so many snapshots: results, checkpoints."""
    over, kept = [], {}
    for number, results in enumerate(train_stack(*stack)):
        over += [result for result in results if result.outcome != "running"]
        kept |= {result.fingerprint: result.checkpoint for result in results if result.checkpoint}
        if number == snapshot:
            break
    return over, {name: kept[name] for name in kept if name not in {r.fingerprint for r in over}}


def resumed(epoch, config):
    """A run that is killed at an epoch and goes on: its checkpoint, its result."""
    _, kept = until(epoch, ["a"], [{**config, "run": OFTEN}])
    assert int(npz.unpack(kept["a"])["group.number"]) == epoch
    return kept["a"], last(train_stack(["a"], [config], None, kept))[0]


@pytest.mark.fault
@settings(max_examples=25)
@given(
    shared=SHARED,
    own=st.lists(OWN, min_size=1, max_size=6),
    snapshot=st.integers(0, 60),
    lost=st.sets(st.integers(0, 5)),
)
def test_killed_at_any_time_and_dealt_anew_each_run_has_its_bits(shared, own, snapshot, lost):
    shared["dataset"] = {"name": "surface", "samples": 40}
    configs = [
        make_config(**shared, **each, seed=seed, run=OFTEN) for seed, each in enumerate(own)
    ]
    runs = {str(i): config for i, config in enumerate(configs)}
    over, kept = until(snapshot, [*runs], configs, unlucky)
    kept = {name: kept[name] for name in kept if int(name) not in lost}
    left = {
        name: runs[name] for name in reversed(runs) if name not in {r.fingerprint for r in over}
    }
    over += last(train_stack([*left], [*left.values()], unlucky, kept))
    for result in over:
        name = result.fingerprint
        assert_same(last(train_stack([name], [runs[name]], prune=unlucky))[0], result)
        for curve in result.curves.values():
            assert (np.diff(curve.times) >= 0).all()
    assert sorted(runs) == sorted(result.fingerprint for result in over)


@pytest.mark.parametrize("optimizer", registry.plugin_names("optimizer"))
@pytest.mark.parametrize("size", [None, 20])
def test_every_optimizer_goes_on_as_if_nothing_had_been(optimizer, size):
    model = {"name": "mlp", "hidden": [5], "dropout": 0.4}
    config = make_config(epochs=12, batch_size=size, model=model, optimizer={"name": optimizer})
    _, result = resumed(7, config)
    assert_same(last(train_stack(["a"], [config]))[0], result)


@pytest.mark.parametrize("schedule", registry.plugin_names("schedule"))
@pytest.mark.parametrize("size", [None, 20])
def test_every_schedule_goes_on_where_it_was_also_with_one_generator(schedule, size):
    needed = {"step": {"every": 3, "factor": 0.5}}
    config = make_config(
        epochs=12,
        batch_size=size,
        schedule={"name": schedule, **needed.get(schedule, {})},
        model={"name": "mlp", "dropout": 0.4},
        rng="single",
        data_seed=None,
        tracking__metrics_every=2,
    )
    _, result = resumed(8, config)
    assert_same(last(train_stack(["a"], [config]))[0], result)


def test_points_keep_their_times_and_time_adds_up():
    config = make_config(epochs=10)
    kept, result = resumed(6, config)
    before, curve = npz.unpack(kept), result.curves["train/loss"]
    known = (before["history.loss"][:, 1] * 1000).astype(int)
    assert len(known) == 6
    assert curve.times[:6].tolist() == known.tolist()
    assert result.started == int(before["state.began"] * 1000)
    assert (np.diff(curve.times) >= 0).all()
    assert result.metrics["train/seconds"] > before["state.times"][1] > 0


def test_a_clock_that_was_set_back_between_does_not_turn_the_curve_back(monkeypatch):
    _, kept = until(6, ["a"], [make_config(run=OFTEN)])
    monkeypatch.setattr("time.time", lambda: 1.0)
    result = last(train_stack(["a"], [make_config()], None, kept))[0]
    assert (np.diff(result.curves["train/loss"].times) >= 0).all()
    assert result.ended >= result.curves["train/loss"].times[-1]


def test_the_time_before_counts_and_the_time_between_does_not():
    stopping = {"patience": None, "min_delta": 0.0, "max_seconds": 1000.0}
    config = make_config(epochs=10, stopping=stopping)
    _, kept = until(6, ["a"], [{**config, "run": OFTEN}])
    saved = npz.unpack(kept["a"])
    in_training, own_share = saved["state.times"]
    assert 0 < in_training < 10
    about = json.loads(saved["about"].tobytes())
    about = json.dumps({**about, "seconds": about["seconds"] - 3e7})
    a_year_ago = {
        "state.began": saved["state.began"] - 3e7,
        "about": np.frombuffer(about.encode(), np.uint8),
    }
    later = npz.pack(saved | a_year_ago)
    assert last(train_stack(["a"], [config], None, {"a": later}))[0].reason == ""
    used_up = npz.pack(saved | {"state.times": np.array([1000, own_share])})
    result = last(train_stack(["a"], [config], None, {"a": used_up}))[0]
    assert (result.reason, result.last_epoch) == ("max_seconds", int(saved["group.number"]))


DAMAGE = {
    "nothing": lambda content: b"",
    "cut off": lambda content: content[:-30],
    "flipped": lambda content: content.replace(
        npz.unpack(content)["group.rows"].tobytes(),
        (npz.unpack(content)["group.rows"] + 1e-9).tobytes(),
    ),
    "another net": lambda content: npz.pack(npz.unpack(content) | {"group.rows": np.ones(3)}),
    "another precision": lambda content: npz.pack(
        npz.unpack(content) | {"group.rows": npz.unpack(content)["group.rows"].astype("float32")}
    ),
    "another optimizer": lambda content: npz.pack(
        npz.unpack(content) | {"group.state.9": np.ones(3)}
    ),
    "the layout of 0.1.0": lambda content: npz.pack(
        npz.unpack(content) | {"about": np.frombuffer(b'{"schema": 1, "streams": []}', np.uint8)}
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_checkpoint_that_is_damaged_or_of_another_run_is_left_aside(damage):
    config = make_config(epochs=10)
    _, kept = until(6, ["a"], [{**config, "run": OFTEN}])
    damaged = {"a": DAMAGE[damage](kept["a"])}
    first, *rest = train_stack(["a"], [config], None, damaged)
    assert first[0].curves == {}
    assert_same(last(train_stack(["a"], [config]))[0], last(rest)[0])


@pytest.mark.parametrize("seconds", [None, 30])
def test_a_short_run_makes_no_checkpoint(seconds):
    config = make_config(epochs=50, run={"timeout": None, "checkpoint_seconds": seconds})
    assert until(1000, ["a"], [config])[1] == {}
