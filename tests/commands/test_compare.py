"""`harness compare`: two records beside each other, and from where on their curves part."""

import re

import pytest
from mlflow import MlflowClient

import harness as package
from tests.support.commands import SHORT, harness, refused

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)


def compared(capsys, *runs):
    code, out, err = harness(capsys, "compare", *runs)
    assert (code, err) == (0, "")
    return out.splitlines()


def test_settings_machine_and_finals_stand_beside_each_other(place, capsys):
    slope = "activation.slope=0.25"
    a = package.run([*SHORT, "tracking.run_name=one"])
    b = package.run([*SHORT, "activation=leaky_relu", slope, "dtype=float32", "validation=0.4"])
    lines = compared(capsys, a.run_id, b.fingerprint)
    assert lines[0] == f"a: {a.run_id} one"
    rows = [re.split(r"  +", line) for line in lines]
    for row in (
        ["config", "a", "b"],
        ["activation", "sigmoid", "leaky_relu"],
        ["activation.slope", "-", "0.25"],
        ["surroundings", "a", "b"],
        ["dtype", "float64", "float32"],
        ["outcome", "ok", "ok"],
        ["val/best_loss", *(f"{run.metrics['val/best_loss']:.6g}" for run in (a, b))],
    ):
        assert row in rows
    assert any(row[0] == "harness://dataset/surface, validation" for row in rows)
    assert not any(row[0] in ("optimizer.learning_rate", "numpy") for row in rows)
    assert lines[-1] == "verdict: different: train/loss from epoch 0"
    assert f"weights: not alike: float64 {a.weights[0].shape}" in lines[-2]


def test_the_epoch_is_named_at_which_the_curves_part(place, capsys):
    optimizer = (
        "epochs=40",
        "stopping.patience=3",
        "stopping.min_delta=1",
        "tracking.log_every=1",
    )
    runs = [
        package.run([*SHORT, *optimizer[:1], f"schedule={each}", *more]).run_id
        for each, more in (("constant", ()), ("step", ("schedule.every=5", "schedule.factor=0.5")))
    ]
    lines = compared(capsys, *runs)
    assert lines[-1] == "verdict: different: train/loss from epoch 6"
    told = [line for line in lines if line.startswith("train/loss: 41 points")]
    assert re.fullmatch(r".*, other bits from epoch 6, relative difference up to \d.*", told[0])


def test_runs_of_one_setting_are_the_same_as_far_as_both_go(place, capsys):
    once, again = (package.run([*SHORT, f"tracking.run_name={name}"]) for name in ("a", "b"))
    lines = compared(capsys, once.run_id, again.run_id)
    assert not {"config", "surroundings"} & {line.split(" ")[0] for line in lines}
    assert lines[-1] == "verdict: same (bits)"
    longer = package.run([*SHORT, "epochs=5"])
    lines = compared(capsys, once.run_id, longer.run_id)
    assert "train/loss: 3 points in both (3 in one of them only), the same bits" in lines
    assert lines[-1] == "verdict: different: train/loss"


def test_sweeps_and_other_programs_runs_are_compared_as_far_as_they_go(place, capsys):
    swept = package.sweep([*SHORT, "seed=1,2"])
    client = MlflowClient()
    strange = client.create_run("0", run_name="ünï [x]").info.run_id
    for step, loss in enumerate((3.0, 2.0)):
        client.log_metric(strange, "loss", loss, step=step)
    lines = compared(capsys, swept.parent_run_id, strange)
    assert lines[1] == f"b: {strange} ünï [x]"
    assert "loss: a curve in one of them only" in lines


def test_no_line_of_the_table_is_wider_than_the_terminal(place, capsys, monkeypatch):
    runs = [package.run([*SHORT, f"model.hidden=[{','.join('3' * n)}]"]).run_id for n in (12, 25)]
    monkeypatch.setenv("COLUMNS", "60")
    lines = compared(capsys, *runs)
    table = lines[lines.index("") : len(lines) - lines[::-1].index("")]
    assert max(map(len, table)) <= 60
    assert "model.hidden" in {line.split(" ")[0] for line in table}
    monkeypatch.setenv("COLUMNS", "5")
    compared(capsys, *runs)


def test_an_unknown_run_is_told(place, capsys):
    run_id = package.run(SHORT).run_id
    assert "there is no run 'nothing'" in refused(capsys, "compare", run_id, "nothing")
    assert harness(capsys, "compare", run_id).code == 2
