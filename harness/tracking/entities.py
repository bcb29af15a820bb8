"""A sweep and a run as MLflow's entities: tags, metrics, dataset inputs."""

import getpass
import json
import math
import os
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.leaderboard import finite_or_none
from harness.store.manifest import Manifest, Planned
from harness.store.results import Curve, Result
from harness.tracking.backend.name_limits import DATASET, Fit

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric

RUNNING = "running"  # the outcome of a snapshot
STATUS = {
    "ok": "FINISHED",
    "pruned": "FINISHED",
    "diverged": "FAILED",
    "failed": "FAILED",
    "stopped": "KILLED",
}
PUBLISHED = "harness.published"  # when the result ended that the run holds as a whole
MODEL = "harness.model"  # the id of the model that is kept
Point = tuple[str, int]  # a metric's name and a step


def sweep_tags(manifest: Manifest, directory: Path) -> dict[str, str]:
    """Return the tags of every run of a sweep and of its parent."""
    tags = {
        "harness.sweep": manifest.sweep_id,
        "harness.folder": str(directory.absolute()),
        "harness.numerics": json.dumps(manifest.numerics, ensure_ascii=False),
        "mlflow.source.name": "harness",
        "mlflow.source.type": "LOCAL",
        **git_tags(Path(manifest.cwd)),
        **(objective_tag(manifest) if manifest.single else {}),
    }
    with suppress(KeyError, OSError):  # a user whom the system does not know by name
        tags["mlflow.user"] = getpass.getuser()
    return tags


def parent_tags(manifest: Manifest) -> dict[str, str]:
    """Return the further tags of the parent."""
    about = {"harness.role": "sweep", "hydra.overrides": shlex.join(manifest.overrides)}
    return about | objective_tag(manifest)


def objective_tag(manifest: Manifest) -> dict[str, str]:
    """Return the tag that says by which metric runs are ranked, and in which direction."""
    objective = manifest.objective
    return {"harness.objective": f"{objective['metric']} {objective['direction']}"}


def run_tags(planned: Planned, result: Result, parent: str | None) -> dict[str, str]:
    """Return the further tags of one run; only a run that has ended has an outcome."""
    plugins = result.drift.get("plugins", planned.plugins)
    tags = {
        "harness.role": "run",
        "harness.fingerprint": planned.fingerprint,
        "harness.epoch": str(result.last_epoch),
        "harness.plugins": json.dumps(plugins, ensure_ascii=False),
        "hydra.overrides": shlex.join(planned.overrides),
    }
    if result.outcome != RUNNING:
        tags |= {"harness.outcome": result.outcome, PUBLISHED: str(result.ended)}
    if drift := result.drift:
        tags |= {"harness.numerics": json.dumps(drift["numerics"], ensure_ascii=False)}
        tags |= {"harness.drift": "\n".join(drift["diff"])}
    return tags | ({"mlflow.parentRunId": parent} if parent else {})


def ranking_tags(manifest: Manifest) -> dict[str, str]:
    """Return tags of an experiment: the metric by which the UI ranks its runs."""
    greater = "true" if manifest.objective["direction"] == "maximize" else "false"
    name = "mlflow.experiment.primaryMetric"
    return {f"{name}.name": manifest.objective["metric"], f"{name}.greaterIsBetter": greater}


def git_tags(directory: Path) -> dict[str, str]:
    """Return commit, branch and whether files are changed; {} where there is no commit."""
    # One `git status` knows all three in 10 ms. GitPython, which comes with MLflow, has to be
    # imported (100 ms), itself starts two processes for the last of them, without a time limit.
    command = ["git", "-C", str(directory), "status", "--porcelain=v2", "--branch"]
    try:
        lines = subprocess.run(
            [*command, "--untracked-files=no"],
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return {}
    about = dict(line[2:].partition(" ")[::2] for line in lines if line.startswith("# "))
    if about.get("branch.oid", "(initial)") == "(initial)":
        return {}
    tags = {"commit": about["branch.oid"], "branch": about["branch.head"]}
    if tags["branch"] == "(detached)":
        del tags["branch"]
    tags["dirty"] = str(any(not line.startswith("#") for line in lines)).lower()
    return {f"mlflow.source.git.{key}": value for key, value in tags.items()}


def metric_points(result: Result, fit: Fit, there: Mapping[Point, float]) -> list["Metric"]:
    """Return the points of the curves, and of an ended run its final metrics, not `there` yet.

    A curve's point is left out where a final metric has the same name and step, except of a run
    that diverged: a snapshot may have recorded it before anyone knew that the run ends there.
    """
    # MLflow stores a point once that it gets twice with one timestamp, twice with another: hence
    # the times come from the result. It stores ±inf as ±1.8e308: only finite values are sent.
    from mlflow.entities import Metric

    finals = {} if result.outcome == RUNNING else finite_only(result.metrics)
    names = fit.names(dict.fromkeys([*result.curves, *finals]))
    last, replaced = result.last_epoch, {} if result.outcome == "diverged" else finals
    found = [
        Metric(names[key], value, time, step)
        for key, curve in result.curves.items()
        for step, value, time in _points(curve)
        if there.get((names[key], step)) != value and not (key in replaced and step == last)
    ]
    known = {**there, **{(point.key, point.step): point.value for point in found}}
    return found + [
        Metric(names[key], value, result.ended, last)
        for key, value in finals.items()
        if known.get((names[key], last)) != value
    ]


def _points(curve: Curve) -> Iterable[tuple[int, float, int]]:
    columns = (np.asarray(column).tolist() for column in curve)
    for step, value, time in zip(*columns, strict=True):
        if math.isfinite(value):
            yield int(step), float(value), int(time)


def dataset_entities(parts: Iterable[Mapping[str, Any]], fit: Fit) -> list["DatasetInput"]:
    """Return the parts of the data as dataset inputs, each with its own digest."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return [
        DatasetInput(
            Dataset(
                name=fit.text(str(part["name"]), DATASET, "the dataset's name"),
                digest=str(part["digest"])[:36],
                source_type="code",
                source=json.dumps({"tags": {"source": part.get("source")}}),
                profile=json.dumps({"num_rows": part.get("rows")}),
            ),
            [InputTag("mlflow.data.context", str(part["context"]))],
        )
        for part in parts
    ]


def finite_only(values: Mapping[str, float]) -> dict[str, float]:
    """Return the values that are finite."""
    return {key: float(value) for key, value in values.items() if math.isfinite(value)}


def table_json(table: Mapping[str, list[Any]]) -> bytes:
    """Return a table as JSON that the UI shows, with null for numbers that are not finite."""
    rows = [
        [finite_or_none(value) if isinstance(value, float) else value for value in row]
        for row in zip(*table.values(), strict=True)
    ]
    content = {"columns": list(table), "data": rows}
    return json.dumps(content, ensure_ascii=False, default=str).encode()
