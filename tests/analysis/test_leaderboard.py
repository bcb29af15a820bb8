"""Rankings, and settings over their seeds."""

import numpy as np
import pytest
from scipy import stats

from harness.analysis.leaderboard import (
    RankedRun,
    group_by_setting,
    leaderboard_table,
    mean_and_interval,
    rank,
    setting_value,
)
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


def test_repeats_are_the_same_setting_under_seeds_of_their_own():
    job = requested_run(
        7, ("seed=3", "repeats=4", "epochs=5"), make_config(seed=3, repeats=4, epochs=5)
    )
    every = [*repeat_seeds(job)]
    seeds = [each.config["seed"] for each in every]
    assert seeds[0] == 3
    assert len({*seeds}) == 4
    assert [each.overrides for each in every] == [("epochs=5", f"seed={seed}") for seed in seeds]
    assert {each.config["repeats"] for each in every} == {1}
    assert [*repeat_seeds(job)] == every
