"""Writes a sweep to MLflow: a parent run, and each result once, however often it is published."""

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.store.manifest import Manifest, Planned
from harness.store.results import Result
from harness.tracking import entities, model
from harness.tracking.backend.connection import Connection
from harness.tracking.backend.mlflow_env import mlflow_settings
from harness.tracking.backend.queries import metric_history, tag_filter
from harness.tracking.backend.uri import file_path
from harness.tracking.backend.writer import Writer
from harness.tracking.recorded import Recorded, recorded_run

if TYPE_CHECKING:
    from mlflow.entities import Run

log = logging.getLogger(__name__)

STOP_SECONDS = 3.0  # for ending the runs of a stopped sweep: enough for about a thousand


class SweepRecorder:
    """The recorder of one sweep, or of one single run. Every call may be repeated.

    Calls raise TrackingError if the store is out of reach or refuses, DiskError if the disk does.
    """

    def __init__(
        self, uri: str, manifest: Manifest, directory: Path, patience: float | None = None
    ) -> None:
        self.parent_run_id: str | None = None
        self.connection = Connection(uri, patience)
        self.writer = Writer(self.connection)
        self._manifest, self._directory, self._warned = manifest, directory, False
        self._tags: dict[str, str] = {}
        self._runs: dict[str, Recorded] = {}  # by fingerprint; the parent's is ""
        self._latest = manifest.created
        self._shown: dict[str, float] = {}  # the parent's metrics as they are

    @property
    def finished(self) -> bool:
        """Whether the parent run has ended well, and nothing was published since."""
        return "" in self._runs and self._runs[""].ended

    def open(self) -> None:
        """Reach the store, the experiment and the parent run; make each that is not there."""
        self.connection.open(for_writing=True)
        self.writer.open(self._manifest.experiment, entities.ranking_tags(self._manifest))
        self._tags = entities.sweep_tags(self._manifest, self._directory)
        if self._manifest.single:
            self._learn(self._search(role="run"))
        elif parents := self._search(role="sweep"):
            self._learn([*parents, *self._search(role="run")])
            self._shown = dict(parents[0].data.metrics)
            self._latest = max(self._latest, self.writer.latest_time(parents[0]))
            if parents[0].info.status != "FINISHED":
                self.writer.reopen(self._runs[""])
        else:  # a parent comes first, so that there are no runs yet either
            tags = self._tags | entities.parent_tags(self._manifest)
            same, about = self._filter(role="sweep"), self._manifest
            self._learn([self.writer.create(about.name, about.created, tags, same)])
        self.parent_run_id = self._runs[""].run_id if "" in self._runs else None

    def published(self, planned: Planned, result: Result) -> str | None:
        """Return the run id if the store holds the whole of this very result, else None."""
        run = self._runs.get(planned.fingerprint)
        if run is None or run.published != str(result.ended):
            return None
        folder = file_path(run.artifacts)
        if folder is not None and not folder.exists() and not self._warned:
            self._warned = True
            log.warning(
                "the files of run %s are not where MLflow looks for them: %s is not there",
                run.run_id,
                folder,
            )
        return run.run_id

    @mlflow_settings()
    def publish(
        self,
        planned: Planned,
        result: Result,
        files: Mapping[str, bytes],
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> str:
        """Record a result, or what is new in the snapshot of a run; return the run id."""
        if self.connection.down:  # a call that seemed to fail may have been carried out
            self._learn(self._search(role="run"))
        if run_id := self.published(planned, result):
            return run_id
        about = {**tags, **self._tags, **entities.run_tags(planned, result, self.parent_run_id)}
        if self.finished:
            self.writer.reopen(self._runs[""])
        run = self._runs.get(planned.fingerprint)
        if run is None:
            same = self._filter(fingerprint=planned.fingerprint)
            created = self.writer.create(planned.name, result.started, about, same)
            run, about = self._learn([created])[0], {}
        elif run.ended and result.outcome == entities.RUNNING:
            self.writer.reopen(run)
        self.writer.save(run, files)
        self._log(run, planned, result, params, about)
        if result.outcome != entities.RUNNING:
            ended = max(result.ended, run.started)  # the clock may have been set back
            self.writer.end(run, entities.STATUS[result.outcome], ended)
            run.published = str(result.ended)
            self._latest = max(self._latest, ended)
            if self._manifest.single:
                self._discard_repeated()
        return run.run_id

    def stop(self) -> None:
        """End the runs that are RUNNING in the store, as many as there is time for."""
        late = time.monotonic() + STOP_SECONDS
        for fingerprint, run in self._runs.items():
            if fingerprint and not run.ended and time.monotonic() < late:
                self.writer.end(run, "KILLED", self._now())

    def add(self, planned: Planned, files: Mapping[str, bytes], tags: Mapping[str, str]) -> None:
        """Write further files and tags of a run that is published."""
        run = self._runs[planned.fingerprint]
        self.writer.save(run, files)
        self.writer.log(run.run_id, tags=tags)

    def attach_model(self, planned: Planned, result: Result) -> None:
        """Keep the trained net as the model of its run, unless it is kept already."""
        run = self._runs[planned.fingerprint]
        if not run.model:
            where = self.writer.experiment_id
            model.attach_model(self.connection, where, run.run_id, planned, result)
            run.model = True

    def show_progress(self, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Write metrics and tags of the parent; a step is a second since the sweep was planned."""
        new = {k: v for k, v in entities.finite_only(metrics).items() if self._shown.get(k) != v}
        if self.parent_run_id is None:
            return
        from mlflow.entities import Metric

        now, names = self._now(), self.writer.fit.names(new)
        step = (now - self._manifest.created) // 1000
        points = [Metric(names[key], value, now, step) for key, value in new.items()]
        self.writer.log(self.parent_run_id, points, tags=tags)
        self._shown |= new

    def discard_unknown(self, known: Collection[str]) -> None:
        """Delete the runs of this sweep whose fingerprints are none of those in `known`."""
        for fingerprint in [key for key in self._runs if key and key not in known]:
            self.writer.discard(self._runs.pop(fingerprint).run_id)

    def finish(
        self,
        status: str,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        files: Mapping[str, bytes],
    ) -> None:
        """End the parent run with its leaderboard as files, metrics and tags."""
        self._discard_repeated()
        if self.parent_run_id is not None:
            self.writer.save(self._runs[""], files)
            self.show_progress(metrics, tags)
            self.writer.end(self._runs[""], status, self._now())

    def _log(
        self,
        run: Recorded,
        planned: Planned,
        result: Result,
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> None:
        """Write the inputs, then in one batch the params, metrics and tags not there yet."""
        if run.unread:
            points = metric_history(self.connection, run.run_id, run.unread)
            run.points, run.unread = {(p.key, p.step): p.value for p in points}, ()
        fit = self.writer.fit
        if not run.begun:
            parts = result.drift.get("inputs", planned.inputs)
            if inputs := entities.dataset_entities(parts, fit):
                self.connection.ask(self.connection.client.log_inputs, run.run_id, inputs)
        new = entities.metric_points(result, fit, run.points)
        self.writer.log(run.run_id, new, {} if run.begun else params, tags)
        run.begun = True
        if result.outcome == entities.RUNNING:
            run.points |= {(point.key, point.step): point.value for point in new}
        else:  # of many thousand runs it would be much; to publish one again, the store is asked
            keys = [*(key for key, _ in run.points), *(point.key for point in new)]
            run.points, run.unread = {}, tuple(dict.fromkeys(keys))

    def _now(self) -> int:
        """Return milliseconds since 1970, never less than before: the clock may be set back."""
        self._latest = max(self._latest, int(time.time() * 1000))
        return self._latest

    def _discard_repeated(self) -> None:
        """Delete the runs that lost answers left twice."""
        if self.connection.repeated:
            self._learn(self._search(role="run"))
            self.connection.repeated = False

    def _search(self, **tags: str) -> "list[Run]":
        return self.writer.search(self._filter(**tags))

    def _filter(self, **tags: str) -> str:
        return tag_filter(sweep=self._manifest.sweep_id, **tags)

    def _learn(self, runs: "Iterable[Run]") -> list[Recorded]:
        """Take note of runs in the store; of a run that is there twice keep the better one."""
        known = []
        for run in sorted(runs, key=lambda run: not recorded_run(run).published):
            key = run.data.tags.get("harness.fingerprint", "")
            there = self._runs.get(key)
            if there is not None and there.run_id != run.info.run_id:
                self.writer.discard(run.info.run_id)
            elif there is None:
                self._runs[key] = recorded_run(run)
            known.append(self._runs[key])
        return known
