"""The saved model: what it predicts, and that `mlflow models serve` answers with it."""

import ast
import json
import os
import sys
from dataclasses import replace
from importlib.metadata import files, version
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from packaging.requirements import Requirement

from harness.config.build import build
from harness.config.predictor import predictor, scaling_as_lists
from harness.config.registry import plugin_provenance
from harness.engines.worker import train_stack
from harness.tracking.backend.uri import sqlite_uri
from harness.tracking.model import requirement, requirements
from harness.tracking.sweep_recorder import SweepRecorder
from harness.training.data import prepare_for
from tests.conftest import make_config
from tests.support.model_server import answer
from tests.support.recorded import QUIET, manifest, planned

pytestmark = QUIET
REGRESSION = {"dataset": {"name": "surface", "samples": 60}, "standardize": True}
CLASSES = {"dataset": {"name": "iris"}, "loss": {"name": "softmax_cross_entropy"}}
FLOAT32 = {**REGRESSION, "dtype": "float32"}


@pytest.fixture
def keep(tmp_path):
    """Train a run with these changes, and keep it with its model: a function."""

    def kept(changes, uri=None):
        config = make_config(epochs=30, **changes)
        prepared = prepare_for(build(config))
        plugins = tuple(
            plugin_provenance(kind, config[kind]["name"])
            for kind in ("model", "activation", "dataset")
        )
        run = replace(planned(0), config=config, plugins=plugins)
        [result] = [*train_stack([run.fingerprint], [config])][-1]
        sweep = manifest(tmp_path, 1, single=True, runs=(run,))
        where = uri or sqlite_uri(tmp_path / "mlflow.db")
        publisher = SweepRecorder(where, sweep, tmp_path)
        publisher.open()
        run_id = publisher.publish(run, result, {}, {}, {})
        scaling = scaling_as_lists(prepared)
        for _ in range(2):
            publisher._runs[run.fingerprint].model = False  # as if the tag had not been written
            publisher.attach_model(run, result)
        return run_id, prepared.data, predictor(config, result.weights, scaling)

    return kept


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_uri(tmp_path / "mlflow.db"))
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    return lambda run_id: mlflow.pyfunc.load_model(f"runs:/{run_id}/model")


@pytest.mark.parametrize("changes", [REGRESSION, CLASSES, FLOAT32])
def test_it_predicts_what_the_trained_net_does(keep, load, changes):
    run_id, data, predict = keep(changes)
    model, wanted = load(run_id), predict(data.x)
    frame = pd.DataFrame(data.x, columns=data.feature_names)
    for asked in (data.x, frame, frame[frame.columns[::-1]]):
        answer = model.predict(asked)
        assert np.abs(answer.to_numpy() - wanted).max() <= 1e-12
    names = data.class_names if data.task == "classification" else data.target_names
    assert list(answer.columns) == list(names)


def test_it_says_what_it_takes_and_gives(keep, load):
    run_id, data, _ = keep(CLASSES)
    model = load(run_id)
    assert len(model.metadata.signature.inputs) == data.x.shape[1]
    assert model.metadata.signature.outputs.input_names() == list(data.class_names)
    assert list(model.input_example.columns) == list(data.feature_names)
    with pytest.raises(Exception, match="missing inputs"):
        model.predict(data.x[:, :2])


def test_it_is_kept_once_with_its_requirements_and_without_pickle(keep, tmp_path):
    run_id, _, _ = keep(REGRESSION)
    client = MlflowClient(sqlite_uri(tmp_path / "mlflow.db"))
    [output] = client.get_run(run_id).outputs.model_outputs
    logged = client.get_logged_model(output.model_id)
    assert (logged.name, logged.status.value) == ("model", "READY")
    [folder] = (tmp_path / "mlartifacts" / "models").glob("m-*/artifacts")
    asked = (folder / "requirements.txt").read_text().split()
    names = [line.partition("==")[0] for line in asked]
    assert names == ["mlflow", "numpy-harness", "numpy"]
    assert all("==" in line for line in asked)
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle")]


def test_of_the_harness_its_file_imports_serving_alone(keep, tmp_path):
    keep(REGRESSION)
    [path] = tmp_path.glob("mlartifacts/models/m-*/artifacts/served_model.py")
    modules = []
    for node in ast.walk(ast.parse(path.read_text())):
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module] if isinstance(node, ast.ImportFrom) else []
    ours = [module for module in modules if module.split(".")[0] == "harness"]
    assert ours == ["harness.serving"]


COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = {"vcs": "git", "commit_id": COMMIT, "requested_revision": "main"}
URL = "https://example.org/mine.git"


@pytest.mark.parametrize(
    ("origin", "wanted"),
    [
        (None, "mine==1.5"),
        ({"url": URL, "vcs_info": GIT}, f"mine @ git+{URL}@{COMMIT}"),
        (
            {"url": URL, "vcs_info": GIT, "subdirectory": "plugins/mine"},
            f"mine @ git+{URL}@{COMMIT}#subdirectory=plugins/mine",
        ),
        ({"url": "file:///home/me/mine", "dir_info": {"editable": True}}, "mine==1.5"),
        ({"url": "file:///home/me/mine", "dir_info": {}}, "mine==1.5"),
        ({"url": "file:///home/me/mine", "vcs_info": GIT}, "mine==1.5"),  # pip refuses git+file:
        ({"url": "file:///home/me/mine-1.5.whl", "archive_info": {}}, "mine==1.5"),
    ],
)
def test_a_requirement_is_the_url_only_where_version_control_has_it(
    tmp_path, monkeypatch, origin, wanted
):
    info = tmp_path / "mine-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.5\n")
    if origin is not None:
        (info / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.syspath_prepend(tmp_path)
    assert requirement("mine", "1.5") == wanted
    assert Requirement(wanted).name == "mine"


@pytest.mark.parametrize("distribution", ["harness", "numpy-harness"])
def test_a_run_that_an_older_version_planned_requires_this_one(distribution):
    old = {"kind": "model", "name": "mlp", "distribution": distribution, "version": "0.1.0"}
    run = replace(planned(0), plugins=(old,))
    assert requirements(run) == [
        f"numpy-harness=={version('numpy-harness')}",
        f"numpy=={np.__version__}",
    ]


def test_it_is_kept_on_a_server(keep, load, server, monkeypatch):
    run_id, data, predict = keep(REGRESSION, server)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert np.abs(load(run_id).predict(data.x).to_numpy() - predict(data.x)).max() <= 1e-12


@pytest.mark.database
def test_mlflow_serves_it(keep, tmp_path):
    run_id, data, predict = keep(CLASSES)
    env = os.environ | {
        "MLFLOW_TRACKING_URI": sqlite_uri(tmp_path / "mlflow.db"),
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PATH": os.pathsep.join([*programs(), os.environ["PATH"]]),
    }
    question, python = {"inputs": data.x[:4].tolist()}, Path(sys.executable)
    rows = answer(python, f"runs:/{run_id}/model", question, tmp_path, env)
    said = np.array([[row[name] for name in data.class_names] for row in rows])
    assert np.abs(said - predict(data.x[:4])).max() <= 1e-12


def programs():
    """Where this environment has its programs: MLflow starts uvicorn by name."""
    there = [file.locate() for file in files("uvicorn") if file.name == "uvicorn"]
    return [str(Path(sys.executable).parent), *(str(path.resolve().parent) for path in there)]
