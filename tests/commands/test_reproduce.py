"""`harness reproduce`: a recorded run is trained again from its record, and compared with it."""

import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient

import harness as package
from harness.config.plugin_files import VARIABLE
from harness.tracking.backend.queries import experiment_ids, search_runs
from tests.support import forks
from tests.support.commands import (
    SHORT,
    closing_lines,
    harness,
    harness_afresh,
    listing,
    merged,
    refused,
    variables,
)
from tests.support.slow import until
from tests.support.strangers import MINE, SNAKE, forget, strangers, upgrade

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
LINES = ["train/loss: 3 points, the same bits", "val/loss: 3 points, the same bits"]


def recorded(*overrides, **changes):
    """The id of a run that was trained and recorded; its tags and params then changed."""
    run = package.run([*SHORT, *overrides])
    for tag, value in changes.items():
        MlflowClient().set_tag(run.run_id, f"harness.{tag}", value)
    return run.run_id


def rewritten(run_id, folder, **values):
    """Its config.yaml tells other values than were trained."""
    client = MlflowClient()
    path = Path(client.download_artifacts(run_id, "config.yaml", str(folder)))
    text = path.read_text()
    for key, value in values.items():
        text = re.sub(rf"^{key}: .*$", f"{key}: {value}", text, flags=re.MULTILINE)
    path.write_text(text)
    client.log_artifact(run_id, path)


def reproduced(capsys, run_id):
    code, out, err = harness(capsys, "reproduce", run_id)
    assert err == ""
    return code, out.splitlines()


def test_a_run_gives_the_same_bits_and_leaves_nothing_behind(place, capsys):
    run_id = recorded("batch_size=8", "test=0.2", "tracking.metrics_every=1", "dtype=float32")
    before = listing(place), len(search_runs(client := MlflowClient(), experiment_ids(client), ""))
    code, lines = reproduced(capsys, run_id)
    assert code == 0
    assert lines[0].startswith(f"run: {run_id} ")
    assert lines[1:4] == [*LINES, "val/r2: 3 points, the same bits"]
    assert lines[-3:] == [
        "finals: 6 numbers, the same bits",
        "weights: 17 numbers, the same bits",
        "verdict: same (bits)",
    ]
    assert (listing(place), len(search_runs(client, experiment_ids(client), ""))) == before


def test_a_member_of_a_sweep_is_the_same_alone(place, capsys):
    swept = package.sweep(merged(*SHORT, "epochs=40", "penalty.l2=0,0.01", "seed=range(5)"))
    code, lines = reproduced(capsys, swept.runs[3].run_id[:12])
    assert (code, lines[-1]) == (0, "verdict: same (bits)")
    err = refused(capsys, "reproduce", swept.parent_run_id)
    assert f"is a whole sweep; reproduce one of its runs: its best is {swept.best.run_id}" in err


def test_a_server_and_its_record_are_enough(workplace, server, capsys, monkeypatch):
    (mine := workplace / "mine" / "activation").mkdir(parents=True)
    (mine / "snake.py").write_text(SNAKE)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv(VARIABLE, str(mine.parent))
    monkeypatch.setenv("MY_STORE", server)
    fingerprint = package.run(
        [*SHORT, "activation=snake", "activation.a=2", "tracking.uri=${oc.env:MY_STORE}"]
    ).fingerprint
    for name in (VARIABLE, "MY_STORE"):
        monkeypatch.delenv(name)
    (mine / "snake.py").unlink()
    forget()
    (workplace / "elsewhere").mkdir()
    monkeypatch.chdir(workplace / "elsewhere")
    code, lines = reproduced(capsys, fingerprint)
    assert (code, lines[1:3], lines[-1]) == (0, LINES, "verdict: same (bits)")
    assert VARIABLE not in os.environ
    forget()


def test_a_plugin_that_changed_is_named_whether_or_not_the_numbers_did(
    place, tmp_path_factory, capsys
):
    with strangers(tmp_path_factory.mktemp("path") / "site-packages") as mine:
        mine.install("mine-dist", MINE, activation__mine="Mine")
        run_id = recorded("activation=mine")
        upgrade(mine)
        code, lines = reproduced(capsys, run_id)
        assert (code, lines[-1]) == (0, "verdict: same (bits)")
        pattern = r"differs: activation=mine: mine-dist 1.2 \(\w+\) was recorded, there is "
        assert re.match(pattern + r"mine-dist 1.3 \(", lines[1])
        (mine.folder / "mine_dist.py").write_text(MINE.replace("return z /", "return 1.01 * z /"))
        del sys.modules["mine_dist"]
        forget()
        code, lines = reproduced(capsys, run_id)
        assert code == 1
        assert lines[2].startswith("train/loss: 3 points, other bits from epoch 0, relative diff")
        end = "different: train/loss from epoch 0 (activation=mine differs)"
        assert lines[-1] == f"verdict: {end}"
        for path in (mine.folder / "mine_dist-1.2.dist-info").iterdir():
            path.unlink()
        forget()
        code, _, err = harness(capsys, "reproduce", run_id)
    assert code == 2
    assert "activation: there is no 'mine'" in err
    assert "with that of mine-dist 1.2" in err


def test_another_dtype_than_was_trained_with_is_told(place, tmp_path, capsys):
    run_id = recorded()
    rewritten(run_id, tmp_path, dtype="float32")
    code, lines = reproduced(capsys, run_id)
    assert code == 1
    assert lines[1] == "differs: dtype: float64 was recorded, there is float32"
    assert lines[-1] == "verdict: different: train/loss from epoch 0 (dtype differs)"


def test_data_that_changed_or_are_gone_are_named(place, capsys):
    rows = "a,y\n" + "".join(f"{i},{i % 7}\n" for i in range(20))
    for name in ("moved.csv", "d.csv"):  # MLflow knows the same data by their first place
        (table := place / name).write_text(rows)
        csv = ("dataset=csv", f"dataset.path={table}", "dataset.target=y")
        run_id = package.run([*SHORT[:3], *csv]).run_id
    table.write_text(table.read_text() + "20,1\n")
    code, lines = reproduced(capsys, run_id)
    assert code == 1
    assert lines[1].startswith(f"differs: {table}, train: ")
    assert "(16 rows) was recorded, there is " in lines[1]
    table.unlink()
    code, _, err = harness(capsys, "reproduce", run_id)
    assert code == 65
    assert str(table) in err


def test_the_points_that_a_long_run_shows_on_its_way_are_compared_too(place, capsys):
    runs = [package.run([*SHORT, "epochs=40", f"tracking.log_every={n}"]) for n in (10, 1)]
    shown = float(runs[1].curves["train/loss"][1][13])
    MlflowClient().log_metric(runs[0].run_id, "train/loss", shown, step=13)
    code, lines = reproduced(capsys, runs[0].run_id)
    assert (code, lines[-1]) == (0, "verdict: same (bits)")
    assert lines[1] == "train/loss: 6 points, the same bits"
    MlflowClient().log_metric(runs[0].run_id, "train/loss", shown + 1e-9, step=17)
    code, lines = reproduced(capsys, runs[0].run_id)
    assert (code, lines[-1]) == (1, "verdict: different: train/loss from epoch 17")
    _, out, _ = harness(capsys, "compare", *(run.run_id for run in runs))
    assert "val/loss: 5 points in both (36 in one of them only), the same bits" in out


@pytest.mark.fault
def test_another_core_type_is_told_and_is_the_same_or_nearly(place, store):
    run_id = recorded("epochs=20", "model.hidden=[32]")
    done = harness_afresh(
        "reproduce", run_id, cwd=place, MLFLOW_TRACKING_URI=store, OPENBLAS_CORETYPE="Nehalem"
    )
    assert done.code == 0, done.err
    assert "differs: core: " in done.out
    assert "there is Nehalem" in done.out
    assert closing_lines(done.out)["verdict"] in ("same (bits)", "same (1e-12)")


def test_what_cannot_be_reproduced_is_told_in_a_line_or_two(place, capsys, tmp_path):
    client = MlflowClient()
    strange = client.create_run("0").info.run_id
    assert "holds no config.yaml: it is no run of harness" in refused(capsys, "reproduce", strange)
    for unknown in ("nothing-like-it", "0" * 32, "abc'; --"):
        assert f"there is no run {unknown!r} in sqlite:" in refused(capsys, "reproduce", unknown)
    run_id = recorded()
    client.set_tag(run_id, "harness.outcome", "stopped")
    assert "was stopped\n  harness resume /" in refused(capsys, "reproduce", run_id)
    client.set_tag(run_id, "harness.outcome", "ok")
    rewritten(run_id, tmp_path, epochs="many")
    assert "epochs=many: int is expected" in refused(capsys, "reproduce", run_id)
    rewritten(run_id, tmp_path, epochs="[")
    assert "config.yaml" in refused(capsys, "reproduce", run_id)
    assert harness(capsys, "reproduce").code == 2


def test_an_id_that_is_cut_too_short_is_ambiguous(place, capsys):
    tags = {"harness.fingerprint": "ab" * 12}
    runs = [MlflowClient().create_run("0", tags=tags).info.run_id for _ in range(2)]
    err = refused(capsys, "reproduce", "ababab")
    assert "may be any of several runs" in err
    assert all(run_id in err for run_id in runs)


def test_where_nothing_is_recorded_it_says_so(workplace, capsys):
    assert "no MLflow store at" in refused(capsys, "reproduce", "0" * 32)


@pytest.mark.fault
def test_an_interrupted_one_ends_quietly(place, store):
    run_id = recorded()
    rewritten(run_id, place, epochs=100_000_000)
    before = listing(place)
    env = variables(MLFLOW_TRACKING_URI=store)
    process = forks.start("reproduce", run_id, cwd=place, env=env)

    def begun():
        with suppress(FileNotFoundError):  # it has not begun to speak
            return "differs: epochs" in process.said()[0]

    until(begun)
    process.signal(signal.SIGINT)
    assert process.wait() == 130
    assert "Traceback" not in process.said()[1]
    assert listing(place) == before
