"""From disk to MLflow, beside the training: draws and publishes each result as it comes."""

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from pathlib import Path

from harness.analysis import leaderboard
from harness.analysis.advice import advise
from harness.analysis.leaderboard import RankedRun
from harness.analysis.results import planned_result, sweep_result
from harness.config.build import build, figures_for
from harness.config.predictor import scaling_as_lists
from harness.config.registry import find_plugin
from harness.contracts import Figure
from harness.errors import HarnessError
from harness.figures import draw_all, film
from harness.figures.film import LOGGED, step_images
from harness.store.files import folder_lock
from harness.store.manifest import Manifest, Planned
from harness.store.params import format_value, recorded_params
from harness.store.results import Result, read_result
from harness.tracking.artifacts import run_artifacts
from harness.tracking.backend.mlflow_env import rare_collections
from harness.tracking.model import Trained
from harness.tracking.parent_run import ParentRun
from harness.tracking.publish_queue import LAST, STOP, PublishQueue
from harness.tracking.sweep_recorder import SweepRecorder
from harness.training.data import prepare_for

Files = dict[str, bytes]  # by their path in MLflow
Tags = dict[str, str]
log = logging.getLogger(__name__)

FIRST_SNAPSHOT_SECONDS = (
    1.0  # seconds until a run that goes on is shown: those that end before are spared it
)
RESULTS_IN_MEMORY = 256  # results held in memory until they are published; the others wait on disk


class Publishing:
    """What is written to MLflow of each run and of the sweep, by a thread of its own.

    What is not published when it is closed is left for `harness resume`. What is said of the
    sweep as it goes on is left to others unless all its runs come from here (`whole`).
    """

    def __init__(
        self,
        uri: str,
        manifest: Manifest,
        directory: Path,
        patience: float | None = None,
        whole: bool = True,
    ) -> None:
        self.manifest, self.directory = manifest, directory
        self.publisher = SweepRecorder(uri, manifest, directory, patience)
        self.run_ids: dict[str, str] = {}
        self._while_open = ExitStack()
        self._while_open.enter_context(rare_collections())
        self._ended: set[str] = set()  # runs whose end was submitted: their snapshots are stale
        self.overview = ParentRun(self.publisher, manifest, directory, self.run_ids, whole)
        required = bool(manifest.tracking.get("required"))  # then training does not go on
        self.outbox = PublishQueue(self._open, lambda: self.publisher.heard, quiet=required)

    @property
    def error(self) -> HarnessError | None:
        """Why not all is published, if so."""
        return self.outbox.error

    def _open(self) -> None:
        with folder_lock(self.directory):  # other jobs of the sweep must not make a second parent
            self.publisher.open()

    def wait_until_open(self) -> None:
        """Return when the store was reached, or could not be."""
        self.outbox.wait_until_open()

    def submit(self, planned: Planned, result: Result) -> None:
        """Publish what a run left; it is on disk already, unless it was stopped."""
        self._ended.add(planned.fingerprint)
        stopped = result.outcome == "stopped"
        held = result if stopped or len(self.outbox) < RESULTS_IN_MEMORY else None
        do = partial(self._publish_end, planned, held)
        self.outbox.put(planned.fingerprint, do, urgent=stopped)

    def show(self, snapshots: Sequence[tuple[Planned, Result]]) -> None:
        """Publish how far runs are, soon."""
        for planned, result in snapshots:
            if planned.fingerprint not in self._ended:
                do = partial(self._publish_snapshot, planned, result)
                self.outbox.put_passing(planned.fingerprint, do, FIRST_SNAPSHOT_SECONDS)

    def stop(self) -> None:
        """Say before all else that no run goes on: somebody waits, and there may be thousands."""
        self.outbox.put(STOP, self.publisher.stop, urgent=True)

    def finish(
        self, ranked: list[RankedRun], counts: str, status: str, known: Collection[str]
    ) -> None:
        """Write what is known of the sweep as a whole, after all that was submitted.

        Runs in MLflow that are none of those `known` are ghosts.
        """
        self.outbox.put(LAST, partial(self._finish, ranked, counts, status, known))

    def close(self, within: float = float("inf")) -> None:
        """Wait for all that was submitted; what was only to be shown is let go."""
        self.outbox.close(within)
        self._while_open.close()

    def _publish_snapshot(self, planned: Planned, result: Result) -> None:
        self._publish(planned, result, {}, {})
        self.overview.show()

    def _publish_end(self, planned: Planned, held: Result | None) -> None:
        result = held or read_result(self.directory, planned.fingerprint)
        if result is None:
            return
        there = self.publisher.published(planned, result)
        run_id = there or self._publish_whole(planned, result)
        self.run_ids[planned.fingerprint] = run_id
        if result.weights and self._keeps_model:
            self._attach_model(run_id, planned, result)
        self.overview.add(leaderboard.ranked_run(planned, result))
        self.overview.show()

    def _publish_whole(self, planned: Planned, result: Result) -> str:
        files, tags = self._in_full(planned, result) if self.manifest.single else ({}, {})
        return self._publish(planned, result, self._files(planned, result) | files, tags)

    def _publish(self, planned: Planned, result: Result, files: Files, more: Tags) -> str:
        tags = {**more, **self._tags(planned, result)}
        run_id = self.publisher.publish(
            planned, result, files, recorded_params(planned.config), tags
        )
        self.run_ids[planned.fingerprint] = run_id
        return run_id

    @property
    def _keeps_model(self) -> bool:
        """Whether that of each run is kept."""
        kept = self.manifest.tracking.get("model")
        return kept == "all" or (kept == "best" and self.manifest.single)

    def _attach_model(self, run_id: str, planned: Planned, result: Result) -> None:
        if self.publisher.has_model(planned):
            return
        prepared = prepare_for(build(planned.config).member)
        net = Trained(planned, result, prepared.data, scaling_as_lists(prepared))
        self.publisher.attach_model(run_id, net)

    def _tags(self, planned: Planned, result: Result) -> dict[str, str]:
        tags = {str(k): format_value(v) for k, v in planned.config["tracking"]["tags"].items()}
        return tags | ({"harness.reason": result.reason} if result.reason else {})

    def _in_full(self, planned: Planned, result: Result) -> tuple[Files, Tags]:
        """Files and tags of a run that ended and is shown in full: its film, and advice."""
        if not result.weights:
            return {}, {}
        seen = planned_result(planned, result, None, self.directory)
        said = advise(seen)
        note = "\n".join(f"- {sentence}" for sentence in said)
        tags = {"harness.advice": "\n".join(said), "mlflow.note.content": note} if said else {}
        if not self.manifest.figures["timeline"]:
            return {}, tags
        if not (frames := film.film_frames(seen)):
            log.warning("figures.timeline: %s: %s", planned.name or "the run", film.WHY_NONE)
            return {}, tags
        files = step_images("timeline", frames, result)
        return files | {"plots/timeline.html": film.film_page(seen.name, frames)}, tags | LOGGED

    def _files(self, planned: Planned, result: Result) -> dict[str, bytes]:
        """A run's artifacts by their path in MLflow."""
        files = run_artifacts(planned, result)
        return files | self._plots(planned, result, self._figures)

    @cached_property
    def _figures(self) -> Mapping[str, Figure]:
        """What is drawn of every run."""
        shown = self.manifest.figures
        return figures_for(shown["names"] if self.manifest.single else shown["members"], "run")

    @cached_property
    def _figures_of_best(self) -> Mapping[str, Figure]:
        """What is drawn of a sweep's best runs besides."""
        every = figures_for(self.manifest.figures["names"], "run")
        return {name: every[name] for name in every if name not in self._figures}

    def _plots(
        self, planned: Planned, result: Result, figures: Mapping[str, Figure]
    ) -> dict[str, bytes]:
        if not figures or not result.curves:
            return {}
        seen = planned_result(
            planned, result, self.run_ids.get(planned.fingerprint), self.directory
        )
        return _plots(*draw_all(figures, seen), planned.name)

    def _finish(
        self, ranked: list[RankedRun], counts: str, status: str, known: Collection[str]
    ) -> None:
        self.publisher.keep(known)
        if self.publisher.finished:
            return
        drawn = {}
        if status == "FINISHED":  # else there is more to come, and somebody waits
            self._show_best(ranked)
            drawn = self._sweep_plots(ranked)
        self.overview.finish(ranked, counts, status, drawn)

    def _sweep_plots(self, ranked: list[RankedRun]) -> dict[str, bytes]:
        figures = figures_for(self.manifest.figures["names"], "sweep")
        if not figures:
            return {}
        parent = self.publisher.parent_run_id
        result = sweep_result(self.manifest, self.directory, ranked, self.run_ids, parent)
        return _plots(*draw_all(figures, result), self.manifest.name)

    def _show_best(self, ranked: list[RankedRun]) -> None:
        """The other figures for the best runs, and the best one's model."""
        for place, s in enumerate(ranked[: max(self.manifest.figures["best"], 1)]):
            result = read_result(self.directory, s.planned.fingerprint)
            run_id = self.run_ids.get(s.planned.fingerprint)
            if result is None or run_id is None or s.outcome != "ok":
                continue
            if place < self.manifest.figures["best"]:
                plots = self._plots(s.planned, result, self._figures_of_best)
                files, tags = self._in_full(s.planned, result)
                self.publisher.add_files(run_id, plots | files)
                self.publisher.add_tags(run_id, tags)
            if place == 0 and self.manifest.tracking.get("model") == "best":
                self._attach_model(run_id, s.planned, result)


def _plots(
    drawn: Mapping[str, bytes], failed: Mapping[str, BaseException], of: str
) -> dict[str, bytes]:
    """Artifacts of what was drawn; a warning for what was not."""
    for name, error in failed.items():
        where, kind = find_plugin("figure", name), type(error).__name__
        log.warning("%s failed in draw for %s: %s: %s", where, of, kind, error)
    return {f"plots/{file}": content for file, content in drawn.items()}
