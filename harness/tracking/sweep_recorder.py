"""Writes a sweep to MLflow: a parent run, and each result once, however often it is published."""

import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.store.manifest import Manifest, Planned
from harness.store.results import Result
from harness.tracking import entities, model
from harness.tracking.backend.connection import Connection
from harness.tracking.backend.mlflow_env import mlflow_settings
from harness.tracking.backend.name_limits import Fit, fit_lines
from harness.tracking.backend.queries import metric_history, tag_filter
from harness.tracking.backend.writer import Writer
from harness.tracking.recorded import Recorded, recorded_run

if TYPE_CHECKING:
    from mlflow.entities import Run


class SweepRecorder:
    """The writer of one sweep, or of one single run. Every call may be repeated.

    TrackingError: the store is out of reach, or refuses; DiskError: the disk does.
    """

    def __init__(
        self, uri: str, manifest: Manifest, directory: Path, patience: float | None = None
    ) -> None:
        self.parent_run_id: str | None = None
        self._connection, self._fit = Connection(uri, patience), Fit()
        self._writer = Writer(self._connection, self._fit)
        self._manifest, self._directory = manifest, directory
        self._tags: dict[str, str] = {}
        self._runs: dict[str, Recorded] = {}  # by fingerprint; the parent's is ""
        self._latest = manifest.created
        self._shown: dict[str, float] = {}  # the parent's metrics as they are

    @property
    def experiment_id(self) -> str:
        return self._writer.experiment_id

    @property
    def heard(self) -> float:
        """When a call to the store last ended, well or not, by the monotonic clock."""
        return self._connection.heard

    @property
    def finished(self) -> bool:
        """Whether the parent run has ended well, and nothing was published since."""
        return "" in self._runs and self._runs[""].ended

    def open(self) -> None:
        """Reach the store (made if it is a file that is not there), the experiment, the parent."""
        self._connection.open()
        self._writer.open(self._manifest.experiment, entities.ranking_tags(self._manifest))
        self._tags = entities.sweep_tags(self._manifest, self._directory)
        if self._manifest.single:
            self._know(self._search(role="run"))
        elif parents := self._search(role="sweep"):
            self._know([*parents, *self._search(role="run")])
            self._shown = dict(parents[0].data.metrics)
            self._latest = max(self._latest, self._writer.latest(parents[0]))
            if parents[0].info.status != "FINISHED":
                self._go_on(self._runs[""])
        else:  # a parent comes first, so that there are no runs yet either
            tags = self._tags | entities.parent_tags(self._manifest)
            same, about = self._filter(role="sweep"), self._manifest
            self._know([self._writer.create(about.name, about.created, tags, same)])
        self.parent_run_id = self._runs[""].run_id if "" in self._runs else None

    def published(self, planned: Planned, result: Result) -> str | None:
        """The run id, if the store holds all of this very result."""
        run = self._runs.get(planned.fingerprint)
        return run.run_id if run and run.published == str(result.ended) else None

    @mlflow_settings()
    def publish(
        self,
        planned: Planned,
        result: Result,
        files: Mapping[str, bytes],
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> str:
        """Record a result, or what is new in a snapshot of a run that still runs; its run id."""
        if self._connection.down:  # what seemed to fail may have been done
            self._know(self._search(role="run"))
        if there := self.published(planned, result):
            return there
        about = {**tags, **self._tags, **entities.run_tags(planned, result, self.parent_run_id)}
        if self.finished:
            self._go_on(self._runs[""])
        run = self._runs.get(planned.fingerprint)
        if run is None:
            same = self._filter(fingerprint=planned.fingerprint)
            made = self._writer.create(planned.name, result.started, about, same)
            run, about = self._know([made])[0], {}
        elif run.ended and result.outcome == entities.RUNNING:
            self._go_on(run)
        self._writer.save(run.run_id, run.artifacts, files)
        self._log(run, planned, result, params, about)
        if result.outcome != entities.RUNNING:
            self._end(run, result)
        return run.run_id

    def _end(self, run: Recorded, result: Result) -> None:
        ended = max(result.ended, run.started)  # the clock may have been set back
        self._writer.end(run.run_id, entities.STATUS[result.outcome], ended)
        run.ended, run.published = True, str(result.ended)
        self._latest = max(self._latest, ended)
        if self._manifest.single:
            self._tidy()

    def stop(self) -> None:
        """End what goes on in the store, as far as there is time; more may be said later."""
        late = time.monotonic() + 3.0  # seconds
        for fingerprint, run in self._runs.items():
            if fingerprint and not run.ended and time.monotonic() < late:
                self._writer.end(run.run_id, "KILLED", self._now())
                run.ended = True

    def add_files(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Further files of a run that is published."""
        run = next(run for run in self._runs.values() if run.run_id == run_id)
        self._writer.save(run_id, run.artifacts, files)

    def add_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Further tags of a run that is published."""
        self._writer.batch(run_id, tags=tags)

    def attach_model(self, run_id: str, net: model.Trained) -> None:
        """Keep the trained net as the run's model."""
        model.attach_model(self._connection, self.experiment_id, run_id, net)
        self._runs[net.planned.fingerprint].model = True

    def has_model(self, planned: Planned) -> bool:
        """Whether a published run's model is kept."""
        return self._runs[planned.fingerprint].model

    def progress(self, metrics: Mapping[str, float]) -> None:
        """Show on the parent how far the sweep is; the step is seconds since it was planned."""
        new = {k: v for k, v in entities.finite_only(metrics).items() if self._shown.get(k) != v}
        if self.parent_run_id is None or not new:
            return
        from mlflow.entities import Metric

        now, names = self._now(), self._fit.names(new)
        step = (now - self._manifest.created) // 1000
        told = [Metric(names[key], value, now, step) for key, value in new.items()]
        self._writer.batch(self.parent_run_id, told)
        self._shown |= new

    def keep(self, known: Collection[str]) -> None:
        """Delete what the store holds of this sweep but the parent and these fingerprints."""
        for ghost in [key for key in self._runs if key and key not in known]:
            self._writer.discard(self._runs.pop(ghost).run_id)

    def finish(
        self,
        note: str,
        files: Mapping[str, bytes],
        table: Mapping[str, list[Any]],
        tags: Mapping[str, str],
        metrics: Mapping[str, float],
        status: str,
    ) -> None:
        """End the parent with its leaderboard: as a note, as a table and as files."""
        self._tidy()
        if self.parent_run_id is None:
            return
        self.progress(metrics)
        parent = self._runs[""]
        every = {**files, "leaderboard.json": entities.table_json(table)}
        self._writer.save(parent.run_id, parent.artifacts, every)
        note = fit_lines(note)
        self._writer.batch(parent.run_id, tags={**entities.shown_tags(note), **tags})
        self._writer.end(parent.run_id, status, self._now())

    def _go_on(self, run: Recorded) -> None:
        """A run that had ended has more to come."""
        self._writer.go_on(run.run_id)
        run.ended = False

    def _log(
        self,
        run: Recorded,
        planned: Planned,
        result: Result,
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> None:
        """One batch: what is not there yet of params, metrics and tags; the inputs before it."""
        if run.unread:
            there = metric_history(self._connection, run.run_id, run.unread)
            run.points, run.unread = {(p.key, p.step): p.value for p in there}, ()
        if not run.begun:
            self._writer.inputs(
                run.run_id,
                entities.dataset_entities(result.drift.get("inputs", planned.inputs), self._fit),
            )
        new = entities.metric_points(result, self._fit, run.points)
        self._writer.batch(run.run_id, new, {} if run.begun else params, tags)
        run.begun = True
        if result.outcome == entities.RUNNING:
            run.points |= {(point.key, point.step): point.value for point in new}
        else:  # there may be many thousands of runs; who publishes it again asks the store
            keys = [*(key for key, _ in run.points), *(point.key for point in new)]
            run.points, run.unread = {}, tuple(dict.fromkeys(keys))

    def _now(self) -> int:
        """Milliseconds since 1970, never less than before: the clock may be set back."""
        self._latest = max(self._latest, int(time.time() * 1000))
        return self._latest

    def _tidy(self) -> None:
        """Delete what a lost answer left twice."""
        if self._connection.repeated:
            self._know(self._search(role="run"))
            self._connection.repeated = False

    def _search(self, **wanted: str) -> "list[Run]":
        return self._connection.ask(lambda: self._writer.search(self._filter(**wanted)))

    def _filter(self, **wanted: str) -> str:
        return tag_filter(sweep=self._manifest.sweep_id, **wanted)

    def _know(self, runs: "Iterable[Run]") -> list[Recorded]:
        """Take note of runs in the store; of those that are there twice the best one stays."""
        known = []
        for run in sorted(runs, key=lambda run: not recorded_run(run).published):
            key = run.data.tags.get("harness.fingerprint", "")
            there = self._runs.get(key)
            if there is not None and there.run_id != run.info.run_id:
                self._writer.discard(run.info.run_id)
            elif there is None:
                self._runs[key] = recorded_run(run)
            known.append(self._runs[key])
        return known
