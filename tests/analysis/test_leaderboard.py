"""Rankings, and settings over their seeds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from harness.analysis.leaderboard import (
    RankedRun,
    format_counts,
    group_by_setting,
    leaderboard_table,
    mean_and_interval,
    rank,
    setting_value,
    varying_params,
)
from harness.store.params import recorded_params
from harness.sweeps.plan import plan, repeat_seeds, requested_run
from tests.conftest import make_config

OBJECTIVE = {"metric": "val/best_loss", "direction": "minimize", "others": []}


def manifest(*changes):
    jobs = [requested_run(i, (f"n={i}",), make_config(**each)) for i, each in enumerate(changes)]
    return plan(jobs, command=("all",), single=False)


def standings(planned, *values, outcome="ok"):
    return [
        RankedRun(run, outcome, {"val/best_loss": value}, "", 10)
        for run, value in zip(planned.runs, values, strict=True)
    ]


def test_the_interval_is_students():
    values = np.array([0.31, 0.28, 0.35, 0.30, 0.29])
    made = standings(manifest(*({"seed": seed} for seed in range(5))), *values)
    count, mean, half = mean_and_interval(made, "val/best_loss")
    low, high = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    assert count == 5
    assert mean == pytest.approx(values.mean(), rel=1e-14)
    assert (mean - half, mean + half) == pytest.approx((low, high), rel=1e-12)


def test_runs_that_differ_only_in_seed_are_one_setting():
    changes = [{"seed": s, "epochs": e} for e in (5, 6) for s in (1, 2, 3)]
    made = rank(standings(manifest(*changes), 3.0, 4.0, 5.0, 1.0, 2.0, 9.0), OBJECTIVE)
    found = group_by_setting(made, OBJECTIVE)
    assert [(setting.seeds, setting.mean) for setting in found] == [(3, 4.0), (3, 4.0)]
    assert found[0].runs[0].planned.config["epochs"] == 6


def test_of_equal_runs_the_lower_loss_comes_first_and_then_the_plan():
    made = manifest(*({"epochs": epochs} for epochs in (5, 6, 7, 8)))
    numbers = [(0.9, 3.0), (0.9, 2.0), (0.9, 2.0), (0.8, 1.0)]
    every = [
        RankedRun(run, "ok", {"val/accuracy": value, "val/best_loss": loss}, "", 10)
        for run, (value, loss) in zip(made.runs, numbers, strict=True)
    ]
    objective = {"metric": "val/accuracy", "direction": "maximize"}
    ranked = rank(reversed(every), objective)
    assert [run.planned.config["epochs"] for run in ranked] == [6, 7, 5, 8]
    settings = group_by_setting(ranked, objective)
    assert [s.runs[0].planned.config["epochs"] for s in settings] == [6, 7, 5, 8]


def test_the_table_tells_each_run_how_its_setting_does():
    changes = [{"seed": s, "epochs": e} for e in (5, 6) for s in (1, 2)]
    made = rank(standings(manifest(*changes), 3.0, 5.0, 1.0, 2.0), OBJECTIVE)
    columns = leaderboard_table(made, {}, OBJECTIVE)
    assert columns["epochs"] == ["6", "6", "5", "5"]
    assert columns["mean"] == [1.5, 1.5, 4.0, 4.0]
    assert columns["setting"] == [1, 1, 2, 2]
    assert columns["seeds"] == [2] * 4
    assert columns["ci95"][0] == pytest.approx(stats.t.ppf(0.975, 1) * 0.5, rel=1e-12)
    assert "mean" not in leaderboard_table(made[:1], {}, OBJECTIVE)


def test_a_setting_is_worth_the_mean_of_its_runs_if_all_ended_well():
    made = standings(manifest({"seed": 1}, {"seed": 2}), 1.0, 2.0)
    assert setting_value(made, OBJECTIVE) == 1.5
    assert setting_value([made[0], made[1]._replace(outcome="diverged")], OBJECTIVE) is None
    assert setting_value([], OBJECTIVE) is None
    several = OBJECTIVE | {"others": [("val/best_loss", "maximize")]}
    assert setting_value(made, several) == (1.5, 1.5)


def test_repeats_are_ordinary_small_seeds_that_two_seeds_never_share():
    found = []
    for seed in (0, 1, 3):
        lines = (f"seed={seed}", "repeats=4", "epochs=5")
        job = requested_run(7, lines, make_config(seed=seed, repeats=4, epochs=5))
        every = [*repeat_seeds(job)]
        seeds = [each.config["seed"] for each in every]
        assert [each.overrides for each in every] == [("epochs=5", f"seed={s}") for s in seeds]
        assert {each.config["repeats"] for each in every} == {1}
        found += seeds
    assert found == [0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15]
    alone = requested_run(0, ("seed=13",), make_config(seed=13, epochs=5))
    again = plan([alone], command=(), single=True)
    [repeated] = [r for r in plan([job], command=(), single=False).runs if r.name == "seed=13"]
    assert again.runs[0].fingerprint == repeated.fingerprint


SGD, ADAM = {"name": "sgd", "learning_rate": 0.1}, {"name": "adam", "learning_rate": 0.001}


@pytest.mark.parametrize(
    ("jobs", "varied"),
    [
        ([({"optimizer": SGD}, ""), ({"optimizer": ADAM}, "")], ["optimizer"]),
        (
            [({"optimizer": {**SGD, "learning_rate": rate}}, "") for rate in (0.1, 0.2)],
            ["optimizer.learning_rate"],
        ),
        (
            [
                ({"optimizer": SGD}, "optimizer.learning_rate=0.1"),
                ({"optimizer": ADAM}, "optimizer.learning_rate=0.001"),
            ],
            ["optimizer", "optimizer.learning_rate"],
        ),
        (
            [
                ({"optimizer": SGD | {"momentum": 0.0}, "epochs": 5}, ""),
                ({"optimizer": SGD | {"momentum": 0.5}, "epochs": 6}, "+optimizer.momentum=0.5"),
                ({"optimizer": ADAM, "epochs": 6}, ""),
            ],
            ["epochs", "optimizer", "optimizer.momentum"],
        ),
    ],
)
def test_only_what_was_varied_is_a_column(jobs, varied):
    every = [requested_run(i, (line,), make_config(**c)) for i, (c, line) in enumerate(jobs)]
    runs = plan(every, command=("all",), single=False).runs
    assert varying_params(runs) == varied
    recorded = [replace(run, config=recorded_params(run.config)) for run in runs]  # as in MLflow
    assert varying_params(recorded) == varied


def test_pruned_runs_are_counted_where_there_is_a_pruner():
    made = manifest({"seed": 1}, {"seed": 2})
    every = standings(made, 1.0, 2.0)
    assert format_counts(every, made) == "2 finished, 0 diverged, 0 failed"
    search = replace(made, search={"pruner": "median"})
    assert format_counts(every, search) == "2 finished, 0 diverged, 0 failed, 0 pruned"
    every[1] = every[1]._replace(outcome="pruned")
    assert format_counts(every, search) == "1 finished, 0 diverged, 0 failed, 1 pruned"
    assert format_counts(every, replace(made, search={"pruner": None})).endswith(", 1 pruned")
