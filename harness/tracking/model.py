"""Keeps a trained net as an MLflow model: its code, weights and scaling, without pickle."""

import json
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.config import plugin_files
from harness.config.build import build
from harness.config.predictor import scaling_as_lists
from harness.config.registry import DISTRIBUTION, FORMER_DISTRIBUTION, plugin_sources
from harness.store.manifest import Planned
from harness.store.npz import pack_weights
from harness.store.results import Result
from harness.tracking.backend.connection import Connection
from harness.tracking.backend.mlflow_env import mlflow_settings
from harness.tracking.backend.writer import write_files
from harness.tracking.entities import MODEL
from harness.training.data import Prepared, prepare_for

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.models import Model

SERVED = Path(__file__).parent / "served_model.py"
NEEDED = ("model", "activation", "loss")  # the plugins that predicting needs
EXAMPLE_ROWS = 3


def attach_model(
    connection: Connection, experiment_id: str, run_id: str, planned: Planned, result: Result
) -> None:
    """Log a trained net as the model of its run, and write the model's id into a tag of the run.

    Every step looks for its own traces first, so that all of it may be repeated.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    client, ask = connection.client, connection.ask

    def find_or_create() -> "LoggedModel":
        wanted = f"source_run_id = '{run_id}' and name = 'model'"
        found = client.search_logged_models([experiment_id], wanted)
        return found[0] if found else client.create_logged_model(experiment_id, "model", run_id)

    def link() -> None:  # MLflow refuses to link a model that is linked already
        outputs = client.get_run(run_id).outputs
        if outputs is None or not outputs.model_outputs:
            output = LoggedModelOutput(logged.model_id, step=result.last_epoch)
            client.log_outputs(run_id, [output])

    logged = ask(find_or_create)
    with TemporaryDirectory() as directory:
        saved = Path(directory) / "model"
        with mlflow_settings():
            save_model(saved, Model(run_id=run_id, model_id=logged.model_id), planned, result)
        ask(client.log_model_artifacts, logged.model_id, str(saved))
    ask(client.finalize_logged_model, logged.model_id, LoggedModelStatus.READY)
    ask(link)
    ask(client.set_tag, run_id, MODEL, logged.model_id)


def save_model(path: Path, model: "Model", planned: Planned, result: Result) -> None:
    """Write a trained net into a folder, as MLflow loads and serves it."""
    import pandas as pd
    from mlflow import pyfunc

    prepared = prepare_for(build(planned.config))
    about, data = describe_model(planned, prepared), prepared.data
    files = {f"plugins/{name}": code for name, code in plugin_sources(planned.plugins).items()}
    files["model.json"] = json.dumps(about, indent=1).encode()
    files["weights.npz"] = pack_weights(result.weights)
    aside = path.with_name("parts")
    write_files(aside, files)
    example = pd.DataFrame(data.x[:EXAMPLE_ROWS].astype(float), columns=about["features"])
    pyfunc.save_model(
        str(path),
        python_model=str(SERVED),
        artifacts={path.stem: str(path) for path in sorted(aside.iterdir())},
        signature=signature(len(about["features"]), about["outputs"]),
        input_example=example,
        pip_requirements=requirements(planned),
        metadata={"features": about["features"], "outputs": about["outputs"]},
        mlflow_model=model,
    )


def describe_model(planned: Planned, prepared: Prepared) -> dict[str, Any]:
    """Return the content of `model.json`: the parts of the net, its inputs and outputs."""
    data = prepared.data
    names = data.target_names if data.task == "regression" else data.class_names
    return {
        "config": {key: planned.config[key] for key in (*NEEDED, "dtype")},
        "scaling": scaling_as_lists(prepared),
        "task": data.task,
        "features": [str(name) for name in data.feature_names],
        "outputs": [str(name) for name in names],
    }


def signature(features: int, outputs: list[str]) -> Any:
    """Return the model's signature: numbers in, named numbers out.

    Inputs are counted, not named, so that the model takes arrays as well as frames.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    return ModelSignature(
        inputs=Schema([ColSpec("double") for _ in range(features)]),
        outputs=Schema([ColSpec("double", name) for name in outputs]),
    )


def requirements(planned: Planned) -> list[str]:
    """Return the requirements of predicting: harness, NumPy, the plugins' distributions."""
    # With this list MLflow saves a model in 0.2 to 0.3 s; without, in 45 to 82 s.
    plugins = {
        plugin["distribution"]: plugin["version"]
        for plugin in planned.plugins
        if plugin["kind"] in NEEDED
        and plugin["version"] != plugin_files.VERSION
        # The saved model's file is of this version, whichever planned the run.
        and plugin["distribution"] not in (DISTRIBUTION, FORMER_DISTRIBUTION)
    }
    pinned = {DISTRIBUTION: version(DISTRIBUTION), "numpy": np.__version__, **plugins}
    return [requirement(name, number) for name, number in pinned.items()]


def requirement(name: str, number: str) -> str:
    """Return how to install a distribution: its version, or where version control has it.

    PEP 610: pip writes `direct_url.json` where it installed from a URL. A local path is of no use
    on another machine.
    """
    with suppress(PackageNotFoundError, ValueError):
        origin = json.loads(distribution(name).read_text("direct_url.json") or "{}")
        vcs = origin.get("vcs_info")
        if vcs is not None and not origin["url"].startswith("file:"):
            folder = f"#subdirectory={origin['subdirectory']}" if "subdirectory" in origin else ""
            return f"{name} @ {vcs['vcs']}+{origin['url']}@{vcs['commit_id']}{folder}"
    return f"{name}=={number}"
