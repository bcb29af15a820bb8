"""The calls that write to one experiment: each is bounded in time, and safe to be repeated."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from harness.errors import TrackingError
from harness.tracking.backend.connection import Connection
from harness.tracking.backend.name_limits import NAME, Fit
from harness.tracking.backend.queries import metric_history, search_runs
from harness.tracking.backend.sqlite import artifacts_beside
from harness.tracking.backend.uri import database_file

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Experiment, Metric, Run

PARAMS, METRICS = 100, 1000  # that MLflow takes in one call


class Writer:
    """Writes runs into one experiment of one store."""

    def __init__(self, connection: Connection, fit: Fit) -> None:
        self.connection, self.fit = connection, fit
        self.experiment_id = ""

    def open(self, experiment: str, tags: Mapping[str, str]) -> None:
        """Find or make the experiment, and tag it where it has no such tag yet."""
        client, ask = self.connection.client, self.connection.ask
        found = ask(lambda: client.get_experiment_by_name(experiment))
        if found is None:
            found = ask(lambda: self._new_experiment(experiment))
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"the experiment {experiment!r} is deleted in MLflow\n"
                "restore it (`mlflow experiments restore`) or choose another: tracking.experiment"
            )
        self.experiment_id = str(found.experiment_id)
        for key in tags.keys() - found.tags.keys():
            ask(partial(client.set_experiment_tag, self.experiment_id, key, tags[key]))

    def search(self, wanted: str) -> "list[Run]":
        """All runs that a filter finds, the oldest first."""
        return search_runs(self.connection.client, [self.experiment_id], wanted)

    def create(self, name: str, started: int, tags: Mapping[str, str], same: str) -> "Run":
        """A new run, or, when an answer was lost, the one that the filter `same` finds."""
        fitting = self.fit.tags(tags)
        short = self.fit.text(name, NAME, "the run's name")

        def create() -> "Run":
            return self.connection.client.create_run(self.experiment_id, started, fitting, short)

        return self.connection.ask(create, lambda: next(iter(self.search(same)), None) or create())

    def batch(
        self,
        run_id: str,
        metrics: "Sequence[Metric]" = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Metrics, params and tags of a run in as few calls as MLflow allows, tags last."""
        from mlflow.entities import Param, RunTag

        settings = [Param(key, value) for key, value in self.fit.params(params or {}).items()]
        labels = [RunTag(key, value) for key, value in self.fit.tags(tags or {}).items()]
        room = METRICS - len(labels) - min(len(settings), PARAMS)
        log = self.connection.client.log_batch
        while len(metrics) > room or len(settings) > PARAMS:
            head, metrics = metrics[:room], metrics[room:]
            some, settings = settings[:PARAMS], settings[PARAMS:]
            self.connection.ask(partial(log, run_id, head, some, synchronous=True))
        if metrics or settings or labels:
            self.connection.ask(lambda: log(run_id, metrics, settings, labels, synchronous=True))

    def inputs(self, run_id: str, datasets: "list[DatasetInput]") -> None:
        if datasets:
            self.connection.ask(lambda: self.connection.client.log_inputs(run_id, datasets))

    def save(self, run_id: str, artifacts: str, files: Mapping[str, bytes]) -> None:
        """Write a run's files where it keeps them; beside our own SQLite file without detour."""
        if not files:
            return
        place = urlsplit(artifacts)
        if database_file(self.connection.uri) and place.scheme == "file":
            root = Path(unquote(place.path))
            self.connection.ask(lambda: _write(root, files))
            return
        with TemporaryDirectory() as aside:
            _write(Path(aside), files)
            self.connection.ask(lambda: self.connection.client.log_artifacts(run_id, aside))

    def end(self, run_id: str, status: str, ended: int) -> None:
        self.connection.ask(lambda: self.connection.client.set_terminated(run_id, status, ended))

    def go_on(self, run_id: str) -> None:
        """A run that had ended is going on."""
        self.connection.ask(lambda: self.connection.client.update_run(run_id, "RUNNING"))

    def discard(self, run_id: str) -> None:
        """Delete a run that is there twice: the first answer to its creation was lost."""
        client = self.connection.client
        self.connection.ask(lambda: client.set_terminated(run_id, "KILLED"))
        self.connection.ask(lambda: client.delete_run(run_id))

    def latest(self, run: "Run") -> int:
        """When the last was said of a run, in milliseconds since 1970."""
        told: list[int] = [run.info.start_time, run.info.end_time or 0]
        shown = metric_history(self.connection, run.info.run_id, run.data.metrics)
        return max([*told, *(point.timestamp for point in shown)])

    def _new_experiment(self, name: str) -> "Experiment":
        from mlflow.exceptions import MlflowException

        client, base = self.connection.client, database_file(self.connection.uri)
        try:
            client.create_experiment(name, artifacts_beside(base) if base else None)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = client.get_experiment_by_name(name)
        assert found is not None
        return found


def _write(root: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..")]
        path = root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
