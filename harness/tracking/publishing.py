"""Publishes a sweep from disk to MLflow, beside the training: each result as it comes."""

import time
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

from harness.analysis import leaderboard
from harness.analysis.leaderboard import RankedRun, varying_params
from harness.analysis.results import planned_result, sweep_result
from harness.config.build import figures_for
from harness.contracts import Figure
from harness.store.files import folder_lock
from harness.store.manifest import Manifest, Planned
from harness.store.params import format_value, recorded_params
from harness.store.results import Result, read_result
from harness.tracking.artifacts import Files, Tags, advice_and_film, draw_plots, run_artifacts
from harness.tracking.parent_run import leaderboard_files, leaderboard_tags, sweep_metrics
from harness.tracking.publish_queue import LAST, STOP, PublishQueue
from harness.tracking.sweep_recorder import SweepRecorder

FIRST_SNAPSHOT_SECONDS = 1.0  # until a run in training is shown; shorter runs are spared it
RESULTS_IN_MEMORY = 256  # results held until they are published; further ones are read from disk
LOOK_SECONDS = 3.0  # between two updates of the parent run, and at least
SHARE = 20  # times the duration of the last update


class Publishing:
    """The publishing of a sweep or single run: what is written to MLflow.

    The queue says when, in a thread of its own; the recorder says how. What is not published when
    the queue is closed is left for `harness resume`. Only with `whole`, when all runs of the sweep
    come from here, the parent run shows a leaderboard while the sweep goes on.
    """

    def __init__(
        self,
        uri: str,
        manifest: Manifest,
        directory: Path,
        patience: float | None = None,
        whole: bool = True,
    ) -> None:
        self.manifest, self.directory, self.whole = manifest, directory, whole
        self.recorder = SweepRecorder(uri, manifest, directory, patience)
        self.run_ids: dict[str, str] = {}  # by fingerprint
        self._submitted: set[str] = set()  # fingerprints: snapshots of these runs are stale
        self._published: list[RankedRun] = []
        self._next_look = time.monotonic() + LOOK_SECONDS
        required = bool(manifest.tracking.get("required"))  # then the sweep stops, and says so
        connection = self.recorder.connection
        self.queue = PublishQueue(self._open, lambda: connection.last_answer, quiet=required)

    def _open(self) -> None:
        with folder_lock(self.directory):  # other jobs of the sweep must not make a second parent
            self.recorder.open()

    def submit(self, planned: Planned, result: Result) -> None:
        """Queue the result of a run that ended; it is on disk, unless the run was stopped."""
        self._submitted.add(planned.fingerprint)
        stopped = result.outcome == "stopped"
        held = result if stopped or len(self.queue) < RESULTS_IN_MEMORY else None
        do = partial(self._publish_end, planned, held)
        self.queue.put(planned.fingerprint, do, urgent=stopped)

    def show(self, snapshots: Sequence[tuple[Planned, Result]]) -> None:
        """Queue snapshots of runs in training."""
        for planned, result in snapshots:
            if planned.fingerprint not in self._submitted:
                do = partial(self._publish_snapshot, planned, result)
                self.queue.put_snapshot(planned.fingerprint, do, FIRST_SNAPSHOT_SECONDS)

    def stop(self) -> None:
        """Queue, before all else, that no run goes on: a user waits, and runs may be thousands."""
        self.queue.put(STOP, self.recorder.stop, urgent=True)

    def finish(
        self, ranked: list[RankedRun], counts: str, status: str, known: Collection[str]
    ) -> None:
        """Queue the end of the sweep, after all results.

        Runs of the sweep in MLflow whose fingerprints are not in `known` are then deleted.
        """
        self.queue.put(LAST, partial(self._finish, ranked, counts, status, known))

    def _publish_snapshot(self, planned: Planned, result: Result) -> None:
        self._publish(planned, result, {}, {})
        self._show_progress()

    def _publish_end(self, planned: Planned, held: Result | None) -> None:
        result = held or read_result(self.directory, planned.fingerprint)
        if result is None:
            return
        if run_id := self.recorder.published(planned, result):
            self.run_ids[planned.fingerprint] = run_id
        else:
            files, tags = self._in_full(planned, result) if self.manifest.single else ({}, {})
            files |= run_artifacts(planned, result) | self._plots(planned, result, self._figures)
            self._publish(planned, result, files, tags)
        kept = self.manifest.tracking.get("model")
        if result.weights and (kept == "all" or (kept == "best" and self.manifest.single)):
            self.recorder.attach_model(planned, result)
        self._published.append(leaderboard.ranked_run(planned, result))
        self._show_progress()

    def _publish(self, planned: Planned, result: Result, files: Files, tags: Tags) -> None:
        own = {str(k): format_value(v) for k, v in planned.config["tracking"]["tags"].items()}
        reason = {"harness.reason": result.reason} if result.reason else {}
        params = recorded_params(planned.config)
        run_id = self.recorder.publish(planned, result, files, params, {**tags, **own, **reason})
        self.run_ids[planned.fingerprint] = run_id

    def _in_full(self, planned: Planned, result: Result) -> tuple[Files, Tags]:
        timeline = self.manifest.figures["timeline"]
        return advice_and_film(planned, result, self.directory, timeline)

    @cached_property
    def _figures(self) -> Mapping[str, Figure]:
        """The figures that are drawn of every run."""
        shown = self.manifest.figures
        return figures_for(shown["names"] if self.manifest.single else shown["members"], "run")

    @cached_property
    def _figures_of_best(self) -> Mapping[str, Figure]:
        """The further figures that are drawn of a sweep's best runs."""
        every = figures_for(self.manifest.figures["names"], "run")
        return {name: every[name] for name in every if name not in self._figures}

    def _plots(self, planned: Planned, result: Result, figures: Mapping[str, Figure]) -> Files:
        if not (figures and result.curves and result.weights):
            return {}
        run_id = self.run_ids.get(planned.fingerprint)
        shown = planned_result(planned, result, run_id, self.directory)
        return draw_plots(figures, shown, planned.name)

    @cached_property
    def _varying(self) -> list[str] | None:
        """The params that vary; looked up once, for there may be many thousands of runs."""
        return varying_params(self.manifest.runs) if self.manifest.runs else None

    def _show_progress(self) -> None:
        """Show on the parent run how far the sweep is, if it is time to."""
        began = time.monotonic()
        if began < self._next_look or self.manifest.single or self.recorder.finished:
            return
        trained = sum(1 for _ in (self.directory / "results").glob("*.npz"))  # by other jobs, too
        metrics, tags = {"sweep/trained": float(trained)}, {}
        if self.whole:
            ranked = leaderboard.rank(self._published, self.manifest.objective)
            planned = len(self.manifest.runs)  # a search does not know how many there will be
            done = f"{len(ranked)} of {planned}" if planned else f"{len(ranked)}"
            counts = f"{done} runs done: {leaderboard.format_counts(ranked, self.manifest)}"
            metrics |= sweep_metrics(ranked, self.manifest.objective)
            tags = self._leaderboard_tags(ranked, counts, self._varying)
        self.recorder.show_progress(metrics, tags)
        now = time.monotonic()
        self._next_look = now + max(LOOK_SECONDS, SHARE * (now - began))

    def _leaderboard_tags(
        self, ranked: list[RankedRun], counts: str, keys: list[str] | None = None
    ) -> Tags:
        where = self.recorder.writer.experiment_id
        return leaderboard_tags(ranked, self.manifest, counts, self.run_ids, where, keys)

    def _finish(
        self, ranked: list[RankedRun], counts: str, status: str, known: Collection[str]
    ) -> None:
        self.recorder.discard_unknown(known)
        if self.recorder.finished:
            return
        files, tags = leaderboard_files(ranked, self.manifest.objective, self.run_ids)
        if status == "FINISHED":  # else there is more to come, and a user waits
            self._show_best(ranked)
            files |= self._sweep_plots(ranked)
        metrics = sweep_metrics(ranked, self.manifest.objective)
        self.recorder.finish(status, metrics, tags | self._leaderboard_tags(ranked, counts), files)

    def _sweep_plots(self, ranked: list[RankedRun]) -> Files:
        figures = figures_for(self.manifest.figures["names"], "sweep")
        if not figures:
            return {}
        parent = self.recorder.parent_run_id
        result = sweep_result(self.manifest, self.directory, ranked, self.run_ids, parent)
        return draw_plots(figures, result, self.manifest.name)

    def _show_best(self, ranked: list[RankedRun]) -> None:
        """Publish the further figures of the best runs, and the best run's model."""
        count = self.manifest.figures["best"]
        for place, run in enumerate(ranked[: max(count, 1)]):
            result = read_result(self.directory, run.planned.fingerprint)
            if (
                result is None
                or run.planned.fingerprint not in self.run_ids
                or run.outcome != "ok"
            ):
                continue
            if place < count:
                files, tags = self._in_full(run.planned, result)
                files |= self._plots(run.planned, result, self._figures_of_best)
                self.recorder.add(run.planned, files, tags)
            if place == 0 and self.manifest.tracking.get("model") == "best":
                self.recorder.attach_model(run.planned, result)
