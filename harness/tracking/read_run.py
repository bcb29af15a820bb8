"""Reads a recorded run from MLflow: its settings, curves, config and weights."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from harness.analysis.differences import run_environment
from harness.config import plugin_files
from harness.contracts import Array, Arrays
from harness.errors import TrackingError, UsageError
from harness.store import npz
from harness.store.old_records import complete_config
from harness.tracking.backend.connection import Connection
from harness.tracking.backend.queries import experiment_ids, metric_history
from harness.tracking.backend.sqlite import is_store
from harness.tracking.backend.uri import database_file, file_path, without_credentials
from harness.tracking.backend.writer import write_files

if TYPE_CHECKING:
    from mlflow.entities import Run

READ_SECONDS = 10.0  # that a store may be away: a user waits for what is read
LISTED = 3  # runs in a message, at most
SHORTENED = re.compile(r"[0-9a-f]{3,32}")  # an id or a fingerprint
WANTED = ("config.yaml", "weights.npz", "plugins")
WITH_WEIGHTS = ("ok", "pruned", "diverged")  # outcomes of runs that have weights
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
NO_CURVES = ("/best_loss", "/best_epoch", "/seconds")  # ends of metrics that are never curves


@dataclass(frozen=True)
class Record:
    """A run, read from MLflow."""

    run_id: str
    name: str
    outcome: str  # empty while it runs
    status: str
    params: dict[str, str]
    metrics: dict[str, float]  # the latest value of each
    curves: dict[str, tuple[Array, Array]]  # steps and values, of metrics with several points
    tags: dict[str, str]
    config: str | None  # the text of config.yaml
    weights: Arrays  # empty if there is no weights.npz
    inputs: list[dict[str, Any]]  # the parts of the data: source, context, digest, rows
    sources: dict[str, bytes]  # its plugins of one file: content by `kind/name.py`
    missing: str = ""  # a sentence, if its config or weights are not where MLflow looks for them

    @property
    def settings(self) -> dict[str, Any]:
        """The run's config; UsageError if it has none that can be read."""
        try:
            config = yaml.safe_load(self.config or "")
        except yaml.YAMLError as error:
            what = " ".join(str(error).split())
            raise UsageError(f"run {self.run_id}: config.yaml: {what}") from error
        if not isinstance(config, dict):
            if self.missing:
                raise UsageError(self.missing)
            what = f"run {self.run_id} holds no config.yaml"
            raise UsageError(f"{what}: it is no run of harness, or not done")
        return complete_config(config)

    @property
    def surroundings(self) -> dict[str, str]:
        """Return what the run's numbers depend on besides its config: plugins, data, versions."""
        plugins, numerics = self.tagged("harness.plugins"), self.tagged("harness.numerics")
        return run_environment(plugins or (), self.inputs, numerics or {})

    def tagged(self, name: str) -> Any:
        """Return the content of a JSON tag; None if there is none, or it was cut."""
        return json_tag(self.tags, name)

    @contextmanager
    def plugins_at_hand(self) -> Iterator[None]:
        """Context manager: offer the plugins of one file that were recorded with the run.

        A plugin folder of the same name that the user has asked for comes first.
        """
        folders = {
            f"{plugin['kind']}/{plugin['name']}.py": Path(plugin["distribution"]).name
            for plugin in self.tagged("harness.plugins") or ()
        }
        known = {folder.name for folder in plugin_files.plugin_folders()}
        with TemporaryDirectory() as aside:
            own = {f"{folders.get(k, 'recorded')}/{k}": code for k, code in self.sources.items()}
            write_files(Path(aside), own)
            recorded = [str(each) for each in Path(aside).iterdir() if each.name not in known]
            with plugin_files.extra_plugin_folders(recorded):
                yield


def json_tag(tags: Mapping[str, str], name: str) -> Any:
    """Return the content of a JSON tag; None if there is no such tag, or it was cut."""
    try:
        return json.loads(tags[name])
    except (KeyError, ValueError):
        return None


def connect_store(uri: str) -> Connection:
    """Open a connection to read from; UsageError if the store's database file is not there."""
    path = database_file(uri)
    if path is not None and not is_store(path):
        raise UsageError(f"no MLflow store at {path}: nothing has been recorded there")
    connection = Connection(uri, READ_SECONDS)
    connection.open()
    return connection


def read_run(uri: str, asked: str) -> Record:
    """Return a run by its id, its fingerprint, or the beginning of either.

    Raises UsageError if not exactly one run is found, TrackingError if the store is out of reach.
    """
    connection = connect_store(uri)
    run = find_run(connection, asked)
    files = run_files(connection, run.info.run_id, WANTED)
    tags = run.data.tags
    config = files.get("config.yaml")
    try:
        weights = files.get("weights.npz")
        layers = npz.layers(npz.unpack(weights)) if weights is not None else []
    except (ValueError, KeyError) as error:
        raise UsageError(f"run {run.info.run_id}: weights.npz: {error}") from error
    return Record(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        outcome="" if run.info.status == "RUNNING" else tags.get("harness.outcome", ""),
        status=run.info.status,
        params=run.data.params,
        metrics=run.data.metrics,
        curves=_curves(connection, run),
        tags=tags,
        config=config.decode(errors="replace") if config is not None else None,
        weights=layers,
        inputs=_inputs(run),
        sources={k.partition("/")[2]: v for k, v in files.items() if k.startswith("plugins/")},
        missing=missing_files(connection, run) if None in (config, weights) else "",
    )


def find_run(connection: Connection, asked: str) -> "Run":
    """Find the one run that `asked` names; UsageError if there is none, or several."""
    client, where = connection.client, without_credentials(connection.uri)
    try:
        return connection.ask(client.get_run, asked)
    except TrackingError as error:
        if getattr(error.__cause__, "error_code", "") not in UNKNOWN:
            raise
        found = _find_by_prefix(connection, asked) if SHORTENED.fullmatch(asked) else []
        if not found:
            raise UsageError(f"there is no run {asked!r} in {where}") from error
    if len(found) > 1:
        several = ", ".join(run.info.run_id for run in found[:LISTED])
        raise UsageError(f"{asked!r} may be any of several runs in {where}: {several}, …")
    return found[0]


def _find_by_prefix(connection: Connection, asked: str) -> "list[Run]":
    """Find runs by the beginning of their id or, if there are none, of their fingerprint."""
    client, found = connection.client, list["Run"]()
    every = connection.ask(experiment_ids, client)
    for key in ("attributes.run_id", "tags.`harness.fingerprint`"):
        wanted = f"{key} LIKE '{asked}%'"
        found = found or connection.ask(client.search_runs, every, wanted, max_results=9)
    return found


def _inputs(run: "Run") -> list[dict[str, Any]]:
    """Return the parts of the data, as they were planned."""
    # MLflow keeps data of one name and digest once in an experiment, with the source that was
    # recorded first: the path among the run's own params is right.
    path, found = run.data.params.get("dataset.path"), []
    for part in run.inputs.dataset_inputs if run.inputs else ():
        tags = {tag.key: tag.value for tag in part.tags}
        try:
            source = json.loads(part.dataset.source)["tags"]["source"]
            rows = json.loads(part.dataset.profile or "")["num_rows"]
        except (ValueError, TypeError, KeyError):  # recorded by another program
            source, rows = part.dataset.name, None
        about = {"source": path or source, "rows": rows, "digest": part.dataset.digest}
        found.append(about | {"context": tags.get("mlflow.data.context", "")})
    return found


def _curves(connection: Connection, run: "Run") -> dict[str, tuple[Array, Array]]:
    curves = {}
    for key in run.data.metrics:
        if key.endswith(NO_CURVES):
            continue
        points = metric_history(connection, run.info.run_id, [key])
        found = {point.step: point.value for point in sorted(points, key=lambda p: p.timestamp)}
        if len(found) > 1:
            steps = sorted(found)
            curves[key] = np.array(steps), np.array([found[step] for step in steps])
    return curves


def missing_files(connection: Connection, run: "Run") -> str:
    """Return a sentence if a run's config or weights are not there, such as in a moved store.

    MLflow keeps the absolute path of a run's files: a store does not move with its folder.
    """
    outcome = run.data.tags.get("harness.outcome", "") if run.info.status != "RUNNING" else ""
    if not outcome:
        return ""
    wanted = ["config.yaml", "weights.npz"] if outcome in WITH_WEIGHTS else ["config.yaml"]
    listed = connection.ask(connection.client.list_artifacts, run.info.run_id)
    lacking = [name for name in wanted if name not in {file.path for file in listed}]
    place = file_path(run.info.artifact_uri) or without_credentials(run.info.artifact_uri)
    if not lacking:
        return ""
    problem = f"the files of run {run.info.run_id} are not where MLflow looks for them"
    return f"{problem}: no {' and no '.join(lacking)} in {place}"


def run_files(connection: Connection, run_id: str, wanted: Sequence[str]) -> dict[str, bytes]:
    """Return the files of a run by path: the files and folders in `wanted` that exist."""
    client, found = connection.client, dict[str, bytes]()
    there = {file.path for file in connection.ask(client.list_artifacts, run_id)}
    with TemporaryDirectory() as aside:
        for name in there.intersection(wanted):
            place = connection.ask(client.download_artifacts, run_id, name, aside)
            files = [path for path in [Path(place), *Path(place).rglob("*")] if path.is_file()]
            found |= {str(path.relative_to(aside)): path.read_bytes() for path in files}
    return found
