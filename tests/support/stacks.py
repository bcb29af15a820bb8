"""Stacks trained in this process: random settings for them, and their results, bit by bit."""

import numpy as np
from hypothesis import strategies as st


def last(results):
    """The final result of each run, in the order of their names."""
    over = [result for some in results for result in some if result.outcome != "running"]
    assert len({result.fingerprint for result in over}) == len(over)
    return sorted(over, key=lambda result: result.fingerprint)


def assert_same(one, other):
    assert one.outcome == other.outcome, (one.reason, other.reason)
    assert one.curves.keys() == other.curves.keys()
    for key, curve in one.curves.items():
        assert np.array_equal(curve.steps, other.curves[key].steps)
        assert np.array_equal(curve.values, other.curves[key].values)
    for a, b in zip(one.weights, other.weights, strict=True):
        assert np.array_equal(a, b)
        assert a.dtype == b.dtype
    assert one.trail.keys() == other.trail.keys()
    for key, noted in one.trail.items():
        assert np.array_equal(noted, other.trail[key])
    timed = "train/seconds"
    assert {**one.metrics, timed: 0} == {**other.metrics, timed: 0}
    assert one.best_epoch == other.best_epoch
    assert one.last_epoch == other.last_epoch


OWN = st.fixed_dictionaries(
    {},
    optional={
        "optimizer__learning_rate": st.sampled_from([1e-3, 0.1, 1.0, 1e200]),
        "stopping": st.sampled_from(
            [
                {"patience": p, "min_delta": d, "max_seconds": None}
                for p in (1, 3)
                for d in (0, 0.1)
            ]
        ),
        "penalty": st.just({"l1": 0.01, "l2": 0.1}),
        "clip": st.just({"value": None, "norm": 0.02}),
        "tracking__log_every": st.sampled_from([None, 1, 3, 4]),
        "tracking__metrics_every": st.sampled_from([2, 5]),
        "metrics": st.just(["mae"]),
        "figures__timeline": st.just(True),
    },
)


SHARED = st.fixed_dictionaries(
    {
        "epochs": st.integers(1, 45),
        "batch_size": st.sampled_from([None, 7, 20]),
        "optimizer": st.sampled_from(
            [{"name": "sgd"}, {"name": "sgd", "momentum": 0.9}, {"name": "adam"}]
        ),
        "dtype": st.sampled_from(["float64", "float32"]),
        "validation": st.sampled_from([0.0, 0.2]),
        "model": st.sampled_from(
            [{"name": "mlp"}, {"name": "mlp", "hidden": [5, 3], "dropout": 0.3}]
        ),
        "schedule": st.sampled_from([{"name": "constant"}, {"name": "warmup_cosine"}]),
        "activation": st.sampled_from([{"name": "tanh"}, {"name": "swish"}]),
    },
    optional={"test": st.just(0.1)},
)


def unlucky(name, epoch, loss):
    """Prunes some runs at some of their epochs, by nothing but themselves."""
    return (int(name) + 3 * epoch + int(loss * 1e4)) % 17 == 0
