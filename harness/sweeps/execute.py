"""A sweep: group its runs into stacks, train them on an engine, publish what is trained."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis import leaderboard
from harness.analysis.leaderboard import RankedRun
from harness.engines import Engine
from harness.engines.worker import Work
from harness.errors import DiskError, HarnessError, TrackingError, UsageError
from harness.store import checkpoints
from harness.store.files import folder_lock
from harness.store.locks import sweep_lock
from harness.store.manifest import Manifest, Planned, read_manifest, write_manifest
from harness.store.results import Result, read_result, write_result
from harness.sweeps.drift import CurrentEnvironment
from harness.sweeps.grouping import group_into_stacks
from harness.sweeps.summary import Interrupted, StoreLost, Summary
from harness.tracking.backend.uri import sweep_store_uri
from harness.tracking.publishing import Publishing

if TYPE_CHECKING:
    from harness.sweeps.search.optuna_search import Search

STORE_AWAY_SECONDS = (
    5.0  # seconds that a store may be away that is required, or written to again at the end
)
LAST_PUBLISH_SECONDS = 4.0  # seconds for publishing what is left, after a signal


def begin_sweep(directory: Path, manifest: Manifest) -> Manifest:
    """Write the manifest into a run's or sweep's folder, or join the one that is there.

    Under a launcher that runs each job by itself the first job begins, the others join.
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
    """Train what the manifest (or a search) asks for and is not trained yet; publish; sum up.

    Only the manifest and the results on disk are read, so that this is also how a stopped sweep
    is resumed. `only` limits it to some runs, and leaves what is said of all of them to others.
    Unless `accept_drift` is None, what is there now is compared with what was planned: UsageError
    if it differs and that is not accepted. A `search` is begun when it is our turn, for it goes on
    with what others have told. Raises Interrupted, tidily, when a signal comes, and Lost when a
    required store or a search's is away.
    """
    with sweep_lock(directory, min(only) if only else None):
        source = None if search is None else search()
        return SweepExecution(directory, only, source, accept_drift).run(progress)


class SweepExecution:
    """One carrying out of a manifest, or of part of it, or of a search."""

    def __init__(
        self,
        directory: Path,
        only: set[str] | None,
        search: "Search | None" = None,
        accept_drift: bool | None = None,
    ) -> None:
        manifest = read_manifest(directory)
        uri = sweep_store_uri(manifest)
        self.search, self.engine = search, Engine(**manifest.launcher)
        self.whole = only is None and not manifest.single
        planned = manifest.runs if search is None else search.known()
        self.runs = {
            run.fingerprint: run for run in planned if only is None or run.fingerprint in only
        }
        self.present = None if accept_drift is None else CurrentEnvironment(manifest)
        if self.present is not None and not accept_drift:
            self.present.check(directory, *self._to_train(directory))
        self.required = bool(manifest.tracking.get("required"))
        patience = STORE_AWAY_SECONDS if self.required or only is not None else None
        self.publishing = Publishing(uri, manifest, directory, patience, self.whole)
        self.summary = Summary(directory, manifest, uri, run_ids=self.publishing.run_ids)
        self.in_hand: dict[str, Result] = {}  # the latest of what runs that go on look like

    @property
    def total(self) -> int:
        return len(self.runs) + (self.search.left if self.search else 0)

    def _to_train(self, directory: Path) -> tuple[list[Planned], bool]:
        """The runs that are still to be trained, and whether more will be asked for."""
        runs = [*self.runs.values()]
        if self.search and self.search.left:
            return runs, True  # the others stand for the plugins of those to come
        return [r for r in runs if read_result(directory, r.fingerprint) is None], False

    def run(self, progress: Listener) -> Summary:
        """Do it; whatever happens, what is trained is on disk before it is published."""
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
        """Train all that is asked for; why that could not be, if so."""
        try:
            for results in self._trained():
                self._take(results)
                progress(self.total, results)
        except (DiskError, TrackingError) as error:  # of the folder, of a search's storage
            return error
        return self._lost()

    def _lost(self) -> HarnessError | None:
        """Why there is no going on, if the store is required."""
        if not self.required or (error := self.publishing.queue.error) is None:
            return None
        return type(error)(f"{error}\n  tracking.required=true: without it nothing is trained")

    def _trained(self) -> Iterator[list[Result]]:
        """Results as they come, as long as the store is there if it is required."""
        if self.required:
            self.publishing.queue.wait_until_open()
        with closing(self.engine.train(self._works(), str(self.summary.directory))) as training:
            while self._lost() is None and (results := next(training, None)) is not None:
                yield results

    def _works(self) -> Iterator[Work]:
        """Stacks to train; a search is asked for more only when all it asked for is dealt out."""
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
        result = read_result(self.summary.directory, run.fingerprint)
        if result is not None:
            self._tell([self._keep(result)])
        return result is not None

    def _drift(self, run: Planned) -> dict[str, Any]:
        """What is otherwise than when it was planned; no checkpoint survives that."""
        return {} if self.present is None else self.present.drift(run)

    def _take(self, results: Sequence[Result]) -> None:
        results = [replace(r, drift=self._drift(self.runs[r.fingerprint])) for r in results]
        for result in results:
            if result.checkpoint:
                checkpoints.write_checkpoint(
                    self.summary.directory, result.fingerprint, result.checkpoint
                )
        going_on = [replace(r, checkpoint=b"") for r in results if r.outcome == "running"]
        if going_on:
            self.in_hand |= {result.fingerprint: result for result in going_on}
            self.publishing.show([(self.runs[r.fingerprint], r) for r in going_on])
        kept: list[tuple[RankedRun, Result]] = []
        for result in results:
            if result.outcome != "running":
                write_result(self.summary.directory, result)
                self.in_hand.pop(result.fingerprint, None)
                kept.append(self._keep(result))
        self._tell(kept)  # after all is kept, for a search's storage may fail

    def _keep(self, result: Result) -> tuple[RankedRun, Result]:
        checkpoints.remove_checkpoint(self.summary.directory, result.fingerprint)
        self._submit(result)
        standing = leaderboard.ranked_run(self.runs[result.fingerprint], result)
        self.summary.ranked.append(standing)
        return standing, result

    def _tell(self, kept: Sequence[tuple[RankedRun, Result]]) -> None:
        if self.search is not None:
            for standing, result in kept:
                self.search.tell(standing, result)

    def _submit(self, result: Result) -> None:
        self.publishing.submit(self.runs[result.fingerprint], result)

    def _end(self, status: str, within: float = inf) -> Summary:
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
