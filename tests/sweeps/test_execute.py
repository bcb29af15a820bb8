"""A sweep from the command line, and what MLflow then holds of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.analysis.leaderboard import RankedRun
from harness.cli import main
from harness.sweeps.plan import plan, requested_run
from harness.sweeps.summary import Summary
from tests.conftest import make_config
from tests.support.commands import closing_lines, harness_process
from tests.support.recorded import client_of, runs_of

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
SWEEP = ["-m", "optimizer.learning_rate=0.05,0.3,1e200", "activation=tanh,leaky_relu", "epochs=30"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """One sweep with a member that diverges, run by the program itself."""
    place = tmp_path_factory.mktemp("sweep")
    done = harness_process(*SWEEP, "figures.best=1", "+tracking.tags.who=me", cwd=place)
    client = client_of(f"sqlite:///{place}/mlflow.db")
    return place, done, client, *runs_of(client)


def test_the_closing_lines_say_how_it_went(swept):
    place, done, _, parents, children = swept
    said = closing_lines(done.out)
    assert done.code == 3
    assert said["runs"] == "4 finished, 2 diverged, 0 failed"
    best = min(
        (run for run in children if run.info.status == "FINISHED"),
        key=lambda run: run.data.metrics["val/best_loss"],
    )
    value = best.data.metrics["val/best_loss"]
    assert said["best"] == f"val/best_loss={value!r} {best.info.run_name} ({best.info.run_id})"
    uri = f"sqlite:///{place}/mlflow.db"
    assert said["record"] == f"{uri} experiment=harness run={parents[0].info.run_id}"
    assert (place / said["folder"] / "manifest.json").is_file()
    assert said["look"] == "harness ui"
    assert done.err.count("diverged: optimizer.learning_rate=1e+200") == 2


def test_children_hang_on_their_parent(swept):
    *_, parents, children = swept
    assert (len(parents), len(children)) == (1, 6)
    for run in children:
        assert run.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
        assert run.data.tags["harness.sweep"] == parents[0].data.tags["harness.sweep"]


def test_statuses_and_outcomes_are_true(swept):
    *_, parents, children = swept
    assert parents[0].info.status == "FINISHED"
    ends = sorted((run.data.tags["harness.outcome"], run.info.status) for run in children)
    assert ends == [("diverged", "FAILED")] * 2 + [("ok", "FINISHED")] * 4


def test_params_are_dotted_flat_and_plain(swept):
    *_, children = swept
    leaky = next(run for run in children if run.data.params["activation"] == "leaky_relu")
    expected = {
        "activation.slope": "0.01",
        "model.hidden": "[4]",
        "batch_size": "null",
        "optimizer.nesterov": "false",
        "epochs": "30",
        "dataset": "surface",
        "penalty.l1": "0.0",
    }
    assert expected.items() <= leaky.data.params.items()
    hidden = ("tracking", "figures", "run.", "hydra")
    assert not [key for key in leaky.data.params if key.startswith(hidden)]


def test_curves_have_epochs_as_steps_and_finals_one_point(swept):
    _, _, client, _, children = swept
    run = next(run for run in children if run.info.status == "FINISHED")
    for key in ("train/loss", "val/loss"):
        assert [p.step for p in client.get_metric_history(run.info.run_id, key)] == [*range(31)]
    finals = ("val/best_loss", "val/best_epoch", "val/r2", "val/rmse", "val/mae", "train/seconds")
    for key in finals:
        assert len(client.get_metric_history(run.info.run_id, key)) == 1


def test_a_run_keeps_its_config_weights_and_loss_curve(swept, tmp_path):
    _, _, client, _, children = swept
    run = next(run for run in children if run.info.status == "FINISHED")
    folder = client.download_artifacts(run.info.run_id, "", str(tmp_path))
    config = yaml.safe_load(Path(folder, "config.yaml").read_text(encoding="utf-8"))
    assert config["activation"]["name"] == run.data.params["activation"]
    assert "hydra" not in config
    with np.load(f"{folder}/weights.npz", allow_pickle=False) as arrays:
        assert [arrays[name].shape for name in ("layer0", "layer1")] == [(3, 4), (5, 1)]
    assert Path(folder, "plots/loss.png").read_bytes()[:4] == b"\x89PNG"


def test_a_diverged_run_says_with_what_and_when(swept, tmp_path):
    _, _, client, _, children = swept
    run = next(run for run in children if run.info.status == "FAILED")
    path = client.download_artifacts(run.info.run_id, "divergence.json", str(tmp_path))
    about = json.loads(Path(path).read_text(encoding="utf-8"))
    assert about["params"]["optimizer.learning_rate"] == "1e+200"
    assert "not finite at epoch" in about["reason"]


def test_tags_tell_where_a_run_comes_from(swept):
    *_, children = swept
    tags = children[0].data.tags
    assert tags["mlflow.source.name"]
    assert tags["mlflow.user"]
    assert tags["who"] == "me"
    assert len(tags["harness.fingerprint"]) == 24
    plugins = {p["kind"]: p for p in json.loads(tags["harness.plugins"])}
    assert plugins["optimizer"]["name"] == "sgd"
    assert plugins["optimizer"]["distribution"] == "numpy-harness"
    assert {"numpy", "blas", "core", "threads", "dtype"} <= json.loads(
        tags["harness.numerics"]
    ).keys()
    assert "optimizer.learning_rate=" in tags["hydra.overrides"]


def test_each_part_of_the_data_is_an_input_with_its_digest(swept):
    *_, children = swept
    inputs = children[0].inputs.dataset_inputs
    contexts = {tag.value for each in inputs for tag in each.tags}
    assert contexts == {"train", "validation"}
    assert len({each.dataset.digest for each in inputs}) == 2


def test_the_parent_knows_the_best_run_and_shows_the_leaderboard(swept, tmp_path):
    _, _, client, parents, children = swept
    parent = parents[0]
    best = next(r for r in children if r.info.run_id == parent.data.tags["best_run_id"])
    assert best.info.status == "FINISHED"
    note = parent.data.tags["mlflow.note.content"]
    assert "| rank | outcome | val/best_loss |" in note
    assert f"](#/experiments/{parent.info.experiment_id}/runs/{best.info.run_id}/" in note
    folder = client.download_artifacts(parent.info.run_id, "", str(tmp_path))
    lines = Path(folder, "leaderboard.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 7
    assert lines[1].endswith(best.info.run_id)
    table = json.loads(Path(folder, "leaderboard.json").read_text(encoding="utf-8"))
    assert len(table["data"]) == 6


def test_the_best_run_has_all_figures_and_the_model(swept):
    _, _, client, parents, children = swept
    best = parents[0].data.tags["best_run_id"]
    with_models = {r.info.run_id for r in children if r.outputs and r.outputs.model_outputs}
    assert with_models == {best}
    plots = {item.path for item in client.list_artifacts(best, "plots")}
    expected = {"loss.png", "prediction.png", "surface.png", "surface3d.html", "network.png"}
    expected |= {"diagnostics.png"}
    assert plots == {f"plots/{name}" for name in expected}


def test_the_primary_metric_is_told_to_the_ui(swept):
    _, _, client, *_ = swept
    tags = client.get_experiment_by_name("harness").tags
    assert tags["mlflow.experiment.primaryMetric.name"] == "val/best_loss"
    assert tags["mlflow.experiment.primaryMetric.greaterIsBetter"] == "false"


def test_resuming_a_finished_sweep_changes_nothing(swept, capsys):
    _, done, client, _, children = swept
    folder = closing_lines(done.out)["folder"]
    before = {r.info.run_id: r.to_dictionary() for r in children}
    assert main(["resume", folder]) == 3
    assert capsys.readouterr().out == done.out
    [parent], after = runs_of(client)
    assert {r.info.run_id: r.to_dictionary() for r in after} == before
    assert parent.info.status == "FINISHED"


def test_what_is_missing_is_done_again_and_nothing_twice(workplace, capsys):
    assert main(["-m", "seed=1,2,3", "epochs=3", "figures=none", "tracking.model=none"]) == 0
    said = closing_lines(capsys.readouterr().out)
    results = sorted((workplace / said["folder"] / "results").glob("*.npz"))
    first = {path.name: path.read_bytes() for path in results}
    results[0].unlink()
    assert main(["resume", said["folder"]]) == 0
    _, children = runs_of(client_of(f"sqlite:///{workplace}/mlflow.db"))
    assert len(children) == 3
    assert {path.name for path in results if path.exists()} == set(first)


def test_a_sweep_goes_to_a_server_artifacts_included(server, workplace, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "over http")
    assert main(["-m", "seed=1,2", "epochs=5"]) == 0
    said = closing_lines(capsys.readouterr().out)
    assert said["record"].startswith(f"{server} experiment=over http run=")
    client = client_of(server)
    parents, children = runs_of(client, "over http")
    assert [r.info.status for r in [*parents, *children]] == ["FINISHED"] * 3
    for run in children:
        assert {i.path for i in client.list_artifacts(run.info.run_id)} >= {"config.yaml", "plots"}
        assert len(client.get_metric_history(run.info.run_id, "val/loss")) == 6
    assert not (workplace / "mlflow.db").exists()


def test_a_long_sweep_is_told_of_more_processors_if_training_took_most_of_it():
    jobs = [requested_run(seed, (f"seed={seed}",), make_config(seed=seed)) for seed in range(2)]
    planned = plan(jobs, command=(), single=False)

    def said(trained, took, **launcher):
        ranked = [RankedRun(run, "ok", {"train/seconds": trained}, "", 1) for run in planned.runs]
        summary = Summary(Path(), replace(planned, launcher=launcher), "", ranked, seconds=took)
        return summary.trained_long

    assert said(trained=40.0, took=100.0)
    assert not said(trained=20.0, took=100.0)
    assert not said(trained=20.0, took=40.0)
    assert not said(trained=40.0, took=100.0, engine="processes")
