"""The calls that write to one experiment: each is bounded in time, and may be repeated."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from harness.errors import TrackingError
from harness.tracking.backend.connection import Connection
from harness.tracking.backend.name_limits import NAME, PARAM, TAG, Fit
from harness.tracking.backend.queries import metric_history, search_runs
from harness.tracking.backend.sqlite import artifacts_beside
from harness.tracking.backend.uri import database_file
from harness.tracking.recorded import Recorded

if TYPE_CHECKING:
    from mlflow.entities import Experiment, Metric, Run

PARAMS, METRICS = 100, 1000  # the most that MLflow takes in one call


class Writer:
    """The writer of runs into one experiment of one store."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.fit = connection, Fit()
        self.experiment_id = ""

    def open(self, experiment: str, tags: Mapping[str, str]) -> None:
        """Find or make the experiment; add the tags that it does not have yet."""
        client, ask = self.connection.client, self.connection.ask
        found = ask(client.get_experiment_by_name, experiment)
        if found is None:
            found = ask(self._new_experiment, experiment)
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"the experiment {experiment!r} is deleted in MLflow\n"
                "restore it (`mlflow experiments restore`) or choose another: tracking.experiment"
            )
        self.experiment_id = str(found.experiment_id)
        for key in tags.keys() - found.tags.keys():
            ask(client.set_experiment_tag, self.experiment_id, key, tags[key])

    def search(self, wanted: str) -> "list[Run]":
        """Return all runs that a filter finds, the oldest first."""
        client = self.connection.client
        return self.connection.ask(search_runs, client, [self.experiment_id], wanted)

    def create(self, name: str, started: int, tags: Mapping[str, str], same: str) -> "Run":
        """Make a run or, when an answer was lost, return the run that the filter `same` finds."""
        fitting = self.fit.pairs(tags, TAG)
        short = self.fit.text(name, NAME, "the run's name")

        def create() -> "Run":
            return self.connection.client.create_run(self.experiment_id, started, fitting, short)

        def find_or_create() -> "Run":
            found = search_runs(self.connection.client, [self.experiment_id], same)
            return found[0] if found else create()

        return self.connection.ask(create, again=find_or_create)

    def log(
        self,
        run_id: str,
        metrics: "Sequence[Metric]" = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write metrics, params and tags of a run in as few calls as possible, the tags last."""
        from mlflow.entities import Param, RunTag

        settings = [
            Param(key, value) for key, value in self.fit.pairs(params or {}, PARAM).items()
        ]
        labels = [RunTag(key, value) for key, value in self.fit.pairs(tags or {}, TAG).items()]
        room = METRICS - len(labels) - min(len(settings), PARAMS)
        ask, log = self.connection.ask, self.connection.client.log_batch
        while len(metrics) > room or len(settings) > PARAMS:
            ask(log, run_id, metrics[:room], settings[:PARAMS], synchronous=True)
            metrics, settings = metrics[room:], settings[PARAMS:]
        if metrics or settings or labels:
            ask(log, run_id, metrics, settings, labels, synchronous=True)

    def save(self, run: Recorded, files: Mapping[str, bytes]) -> None:
        """Write a run's files where the run keeps them, by their paths."""
        place = urlsplit(run.artifacts)
        if database_file(self.connection.uri) and place.scheme == "file":
            # Beside our own SQLite file: through MLflow's client it takes 5 ms a file.
            self.connection.ask(write_files, Path(unquote(place.path)), files)
        elif files:
            with TemporaryDirectory() as aside:
                write_files(Path(aside), files)
                self.connection.ask(self.connection.client.log_artifacts, run.run_id, aside)

    def end(self, run: Recorded, status: str, ended: int) -> None:
        """End a run; `ended` is in milliseconds since 1970."""
        self.connection.ask(self.connection.client.set_terminated, run.run_id, status, ended)
        run.ended = True

    def reopen(self, run: Recorded) -> None:
        """Make a run RUNNING that had ended: more of it is to come."""
        self.connection.ask(self.connection.client.update_run, run.run_id, "RUNNING")
        run.ended = False

    def discard(self, run_id: str) -> None:
        """Delete a run that no longer counts, such as one that a lost answer left twice."""
        client = self.connection.client
        self.connection.ask(client.set_terminated, run_id, "KILLED")
        self.connection.ask(client.delete_run, run_id)

    def latest_time(self, run: "Run") -> int:
        """Return the latest time in a run's record, in milliseconds since 1970."""
        points = metric_history(self.connection, run.info.run_id, run.data.metrics)
        times = [run.info.start_time, run.info.end_time or 0, *(p.timestamp for p in points)]
        return int(max(times))

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


def write_files(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their paths into a folder; no path leads out of it."""
    for name, content in files.items():
        parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..")]
        path = root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
