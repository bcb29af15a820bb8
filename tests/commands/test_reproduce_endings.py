"""`harness reproduce` of runs that did not end at their last epoch, or ended badly."""

import pytest
from mlflow import MlflowClient

import harness as package
from tests.commands.test_reproduce import reproduced
from tests.support.commands import SHORT, closing_lines, harness

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)


@pytest.mark.parametrize("seconds", [1e-9, 0.05])
def test_a_run_that_time_cut_off_is_the_same_as_far_as_it_went(place, capsys, seconds):
    run = package.run([*SHORT, "epochs=1000000", f"stopping.max_seconds={seconds}"])
    code, lines = reproduced(capsys, run.run_id)
    assert (code, lines[-1]) == (0, "verdict: same (bits)")
    last = run.curves["train/loss"][0][-1]
    assert (run.outcome, last == 0, last < 1_000_000) == ("ok", seconds < 1e-3, True)


def test_a_run_diverges_again_at_the_same_epoch(place, capsys):
    run_id = package.run([*SHORT, "epochs=30", "optimizer.learning_rate=1e6"]).run_id
    code, lines = reproduced(capsys, run_id)
    assert (code, lines[-1]) == (0, "verdict: same (bits)")
    tag = MlflowClient().get_run(run_id).data.tags["harness.reason"]
    MlflowClient().set_tag(run_id, "harness.reason", tag + "1")
    code, lines = reproduced(capsys, run_id)
    assert code == 1
    said = f"different: recorded as diverged: {tag}1, and here diverged: {tag}"
    assert lines[-1] == f"verdict: {said}"


def test_a_run_that_exploded_has_diverged_and_where_0_1_0_said_ok_the_numbers_count(place, capsys):
    wild = "epochs=4", "activation=identity", "optimizer.learning_rate=40"
    done = harness(capsys, *SHORT, *wild)
    assert done.code == 3, done.err
    assert "runs: 0 finished, 1 diverged, 0 failed" in done.out
    assert "best: " not in done.out
    assert "loss above 1e6 times that of epoch 0, and not falling, at epoch 4" in done.err
    run_id = closing_lines(done.out)["record"].rpartition("run=")[2]
    assert MlflowClient().get_run(run_id).info.status == "FAILED"
    code, lines = reproduced(capsys, run_id)
    assert (code, lines[-1]) == (0, "verdict: same (bits)")
    for tag, value in {"outcome": "ok", "reason": ""}.items():
        MlflowClient().set_tag(run_id, f"harness.{tag}", value)
    again, more = reproduced(capsys, run_id)
    assert (again, more) == (0, lines)
