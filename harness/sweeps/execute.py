"""Carry out a sweep: group its runs into stacks, train them on an engine, publish the results."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis import leaderboard
from harness.analysis.leaderboard import RankedRun
from harness.config.record import resolve_environment
from harness.engines import Engine
from harness.engines.worker import Work
from harness.errors import DiskError, HarnessError, TrackingError, UsageError
from harness.store import checkpoints
from harness.store.files import folder_lock
from harness.store.locks import sweep_lock
from harness.store.manifest import Manifest, Planned, read_manifest, write_manifest
from harness.store.results import Result, read_result, write_result
from harness.sweeps.drift import CurrentEnvironment, require_same_texts
from harness.sweeps.grouping import group_into_stacks
from harness.sweeps.summary import Interrupted, StoreLost, Summary
from harness.tracking.backend.uri import sweep_store_uri
from harness.tracking.publishing import Publishing

if TYPE_CHECKING:
    from harness.sweeps.search.optuna_search import Search

STORE_AWAY_SECONDS = 5.0  # that a store may be away if it is required, or for one job's results
LAST_PUBLISH_SECONDS = 4.0  # for publishing after a signal


def begin_sweep(directory: Path, manifest: Manifest) -> Manifest:
    """Write the manifest into a folder, or add its runs to the manifest that is there.

    Under a launcher that runs each job by itself the first job writes, the others add. Returns
    the manifest of the folder; raises UsageError if a single run meets another run there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with folder_lock(directory):
        path = directory / "manifest.json"
        if not path.exists():
            write_manifest(directory, manifest)
            return manifest
        there = read_manifest(directory)
        joined = there.with_runs(manifest.runs)
        if manifest.single and len(joined.runs) > len(there.runs):
            raise UsageError(f"{directory} holds another run: choose another hydra.run.dir")
        if joined != there:
            write_manifest(directory, joined)
        return joined


Listener = Callable[[int, list[Result]], None]


def carry_out(
    directory: Path,
    *,
    only: set[str] | None = None,
    search: Callable[[], "Search"] | None = None,
    progress: Listener = lambda total, results: None,
    accept_drift: bool | None = None,
) -> Summary:
    """Train the runs of a manifest (or a search) that have no result yet; publish; sum up.

    Only the manifest and the results on disk are read: a stopped sweep is resumed like this, too.

    Args:
        directory: the folder of the run or sweep.
        only: the fingerprints of the runs to train; the parent run is then left alone.
        search: makes the search, once the folder is locked: another process may have gone on.
        progress: called with the number of runs and some results, as they come.
        accept_drift: whether to train with plugins, data or numerics that have changed since the
            plan; None: do not compare.

    Raises:
        UsageError: something changed, and `accept_drift` is False.
        Interrupted: a signal came; all results are kept.
        StoreLost: the disk, a required store or the storage of a search failed.
    """
    with sweep_lock(directory, min(only) if only else None):
        source = None if search is None else search()
        return SweepExecution(directory, only, source, accept_drift).run(progress)


class SweepExecution:
    """The execution of a manifest, of part of it, or of a search; what `carry_out` runs."""

    def __init__(
        self,
        directory: Path,
        only: set[str] | None,
        search: "Search | None" = None,
        accept_drift: bool | None = None,
    ) -> None:
        manifest = read_manifest(directory)
        uri = sweep_store_uri(manifest)
        self.search, self.engine = search, Engine(**resolve_environment(manifest.launcher))
        self.whole = only is None and not manifest.single
        planned = manifest.runs if search is None else search.known()
        self.runs = {
            run.fingerprint: run for run in planned if only is None or run.fingerprint in only
        }
        self.present = None if accept_drift is None else CurrentEnvironment(manifest)
        if self.present is not None:
            require_same_texts(directory, self.runs.values())
        if self.present is not None and not accept_drift:
            self.present.check(directory, *self._to_train(directory))
        self.required = bool(manifest.tracking.get("required"))
        patience = STORE_AWAY_SECONDS if self.required or only is not None else None
        self.publishing = Publishing(uri, manifest, directory, patience, self.whole)
        self.summary = Summary(directory, manifest, uri, run_ids=self.publishing.run_ids)
        self.in_hand: dict[str, Result] = {}  # the latest snapshots of runs in training

    @property
    def total(self) -> int:
        """The number of runs, as far as a search knows it."""
        return len(self.runs) + (self.search.remaining if self.search else 0)

    def _to_train(self, directory: Path) -> tuple[list[Planned], bool]:
        """Return the runs to train, and whether a search will ask for more."""
        runs = [*self.runs.values()]
        if self.search and self.search.remaining:
            return runs, True  # all: further runs will use the plugins of trained ones
        return [r for r in runs if read_result(directory, r.fingerprint) is None], False

    def run(self, progress: Listener) -> Summary:
        """Train, publish and sum up; each result is on disk before it is published."""
        began = time.perf_counter()
        try:
            error = self._train(progress)
            self.summary.seconds = time.perf_counter() - began
            if error is not None:
                raise StoreLost(
                    self._end("KILLED", 0.0 if self._lost() else inf), error
                ) from error
            return self._end("FINISHED")
        except KeyboardInterrupt as cause:
            raise Interrupted(self._end("KILLED", LAST_PUBLISH_SECONDS), cause) from None
        finally:
            if self.search is not None:
                self.search.close()
            self.publishing.queue.close(0.0)

    def _train(self, progress: Listener) -> HarnessError | None:
        """Train all runs; return the error that kept some from being trained, or None."""
        try:
            for results in self._trained():
                self._handle(results)
                progress(self.total, results)
        except (DiskError, TrackingError) as error:  # of the folder, of a search's storage
            return error
        return self._lost()

    def _lost(self) -> HarnessError | None:
        """Return the error of a required store, without which nothing is trained, or None."""
        if not self.required or (error := self.publishing.queue.error) is None:
            return None
        return type(error)(f"{error}\n  tracking.required=true: without it nothing is trained")

    def _trained(self) -> Iterator[list[Result]]:
        """Yield results as they come; end when a required store is lost."""
        if self.required:
            self.publishing.queue.wait_until_open()
        with closing(self.engine.train(self._works(), str(self.summary.directory))) as training:
            while self._lost() is None and (results := next(training, None)) is not None:
                yield results

    def _works(self) -> Iterator[Work]:
        """Yield stacks to train; ask a search for more runs when all stacks are handed out."""
        asked = [*self.runs.values()]
        while True:
            pending = [run for run in asked if not self._is_trained(run)]
            pruning = None if self.search is None else self.search.pruning
            for work in group_into_stacks(pending, self.engine, pruning):
                names = [name for name in work.fingerprints if not self._drift(self.runs[name])]
                yield replace(
                    work, kept=checkpoints.read_checkpoints(self.summary.directory, names)
                )
            if self.search is None or not (asked := self.search.ask()):
                return
            new = {run.fingerprint: run for run in asked if run.fingerprint not in self.runs}
            self.runs |= new
            asked = [*new.values()]

    def _is_trained(self, run: Planned) -> bool:
        """Return whether a run has a result on disk, which is then published and ranked."""
        result = read_result(self.summary.directory, run.fingerprint)
        if result is not None:
            self._tell_search([self._keep(result)])
        return result is not None

    def _drift(self, run: Planned) -> dict[str, Any]:
        """Return what changed since planning; a run with drift restarts without its checkpoint."""
        return {} if self.present is None else self.present.drift(run)

    def _handle(self, results: Sequence[Result]) -> None:
        """Write checkpoints and results to disk, then publish results and snapshots."""
        results = [replace(r, drift=self._drift(self.runs[r.fingerprint])) for r in results]
        for result in results:
            if result.checkpoint:
                checkpoints.write_checkpoint(
                    self.summary.directory, result.fingerprint, result.checkpoint
                )
        snapshots = [replace(r, checkpoint=b"") for r in results if r.outcome == "running"]
        if snapshots:
            self.in_hand |= {result.fingerprint: result for result in snapshots}
            self.publishing.show([(self.runs[r.fingerprint], r) for r in snapshots])
        kept: list[tuple[RankedRun, Result]] = []
        for result in results:
            if result.outcome != "running":
                write_result(self.summary.directory, result)
                self.in_hand.pop(result.fingerprint, None)
                kept.append(self._keep(result))
        self._tell_search(kept)  # after all is kept, for a search's storage may fail

    def _keep(self, result: Result) -> tuple[RankedRun, Result]:
        """Publish and rank a result that is on disk."""
        checkpoints.remove_checkpoint(self.summary.directory, result.fingerprint)
        self._submit(result)
        ranked = leaderboard.ranked_run(self.runs[result.fingerprint], result)
        self.summary.ranked.append(ranked)
        return ranked, result

    def _tell_search(self, kept: Sequence[tuple[RankedRun, Result]]) -> None:
        if self.search is not None:
            for ranked, result in kept:
                self.search.tell(ranked, result)

    def _submit(self, result: Result) -> None:
        self.publishing.submit(self.runs[result.fingerprint], result)

    def _end(self, status: str, within: float = inf) -> Summary:
        """End the publishing `within` seconds, and complete the summary."""
        summary, publishing = self.summary, self.publishing
        if status == "KILLED":
            for result in self.in_hand.values():
                self._submit(replace(result, outcome="stopped", reason="interrupted"))
            publishing.stop()
        summary.total = self.total
        summary.ranked = leaderboard.rank(summary.ranked, summary.manifest.objective)
        if self.whole:
            publishing.finish(summary.ranked, summary.counts, status, {*self.runs})
        publishing.queue.close(within)
        summary.parent_run_id = publishing.recorder.parent_run_id
        summary.publishing_error = publishing.queue.error
        return summary
