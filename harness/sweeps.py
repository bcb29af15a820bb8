"""A sweep: group its runs into stacks, train them on an engine, publish what is trained."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import engines, leaderboard, store
from harness.compose import build
from harness.contracts import SweepResult
from harness.data import prepare_for
from harness.errors import HarnessError, UsageError
from harness.leaderboard import Standing
from harness.planning import store_of
from harness.publishing import Publishing
from harness.results import sweep_result
from harness.stack import Member, signature
from harness.store import Manifest, Planned, Result

STACK_BYTES = 3 << 20  # of memory traffic that a stack's inner loop may touch: about a CPU cache
LARGEST_STACK = 256
STATUS = {"ok": "finished", "pruned": "finished"}


@dataclass
class Summary:
    """How a sweep (or a single run) ended."""

    directory: Path
    manifest: Manifest
    uri: str
    ranked: list[Standing] = field(default_factory=list)
    run_ids: dict[str, str] = field(default_factory=dict)
    parent_run_id: str | None = None
    publishing_error: HarnessError | None = None

    @property
    def best(self) -> Standing | None:
        """The best run, if any ended well."""
        return leaderboard.best(self.ranked, self.manifest.objective)

    @property
    def result(self) -> SweepResult:
        """All of it, as people look at it."""
        return sweep_result(
            self.manifest, self.directory, self.ranked, self.run_ids, self.parent_run_id
        )

    @property
    def counts(self) -> str:
        """`36 finished, 0 diverged, 0 failed`"""
        return counts([s.outcome for s in self.ranked])

    @property
    def unwell(self) -> list[Standing]:
        """The runs that failed or diverged."""
        return [s for s in self.ranked if s.outcome in ("failed", "diverged")]


def counts(outcomes: Sequence[str]) -> str:
    """How many ended how; more kinds of end are named if they occur."""
    tally = Counter(STATUS.get(outcome, outcome) for outcome in outcomes)
    names = ["finished", "diverged", "failed", *sorted(tally - Counter(finished=0))]
    return ", ".join(f"{tally[name]} {name}" for name in dict.fromkeys(names))


class Interrupted(KeyboardInterrupt):
    """A signal came; everything trained is kept, and `directory` is where to resume."""

    def __init__(self, summary: Summary, cause: BaseException) -> None:
        super().__init__()
        self.summary, self.cause = summary, cause


def begin(directory: Path, manifest: Manifest) -> Manifest:
    """Write the manifest into a run's or sweep's folder, or join the one that is there.

    Under a launcher that runs each job by itself the first job begins, the others join.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with store.lock(directory):
        path = directory / "manifest.json"
        if not path.exists():
            store.write_manifest(directory, manifest)
            return manifest
        there = store.read_manifest(directory)
        joined = there.with_runs(manifest.runs)
        if manifest.single and len(joined.runs) > len(there.runs):
            raise UsageError(f"{directory} holds another run: choose another hydra.run.dir")
        if joined != there:
            store.write_manifest(directory, joined)
        return joined


Told = Callable[[int, list[Result]], None]


def carry_out(
    directory: Path,
    *,
    only: set[str] | None = None,
    stack_bytes: int = STACK_BYTES,
    progress: Told = lambda total, results: None,
) -> Summary:
    """Train what the manifest asks for and is not trained yet; publish; say how it ended.

    Only the manifest and the results on disk are read, so that this is also how a stopped sweep
    is resumed. `only` limits it to some runs, and leaves what is said of all of them to others.
    Raises Interrupted, tidily, when a signal comes.
    """
    if only is not None:
        return Errand(directory, only).run(stack_bytes, progress)
    with store.lock(directory, "at-work"):  # a second one waits, and then finds it all done
        return Errand(directory, only).run(stack_bytes, progress)


class Errand:
    """One carrying out of a manifest, or of part of it."""

    def __init__(self, directory: Path, only: set[str] | None) -> None:
        manifest = store.read_manifest(directory)
        uri = store_of(manifest)
        self.whole = only is None and not manifest.single
        self.runs = {
            run.fingerprint: run
            for run in manifest.runs
            if only is None or run.fingerprint in only
        }
        self.publishing = Publishing(uri, manifest, directory)
        self.summary = Summary(directory, manifest, uri, run_ids=self.publishing.run_ids)
        self.in_hand: dict[str, Result] = {}  # the latest of what runs that go on look like

    def run(self, stack_bytes: int, progress: Told) -> Summary:
        """Do it; whatever happens, what is trained is on disk before it is published."""
        try:
            pending = [run for run in self.runs.values() if not self._is_trained(run)]
            for _, results in engines.serial(stacks(pending, stack_bytes)):
                self._take(results)
                progress(len(self.runs), results)
            return self._end("FINISHED")
        except KeyboardInterrupt as cause:
            for result in self.in_hand.values():
                self._submit(replace(result, outcome="stopped", reason="interrupted"))
            raise Interrupted(self._end("KILLED"), cause) from None
        finally:
            self.publishing.close()

    def _is_trained(self, run: Planned) -> bool:
        result = store.read_result(self.summary.directory, run.fingerprint)
        if result is not None:
            self._keep(result)
        return result is not None

    def _take(self, results: Sequence[Result]) -> None:
        going_on = [result for result in results if result.outcome == "running"]
        if going_on:
            self.in_hand |= {result.fingerprint: result for result in going_on}
            self.publishing.show([(self.runs[r.fingerprint], r) for r in going_on])
        for result in results:
            if result.outcome != "running":
                store.write_result(self.summary.directory, result)
                self.in_hand.pop(result.fingerprint, None)
                self._keep(result)

    def _keep(self, result: Result) -> None:
        self._submit(result)
        self.summary.ranked.append(leaderboard.standing(self.runs[result.fingerprint], result))

    def _submit(self, result: Result) -> None:
        self.publishing.submit(self.runs[result.fingerprint], result)

    def _end(self, status: str) -> Summary:
        summary, publishing = self.summary, self.publishing
        summary.ranked = leaderboard.rank(summary.ranked, summary.manifest.objective)
        if self.whole:
            publishing.finish(summary.ranked, summary.counts, status)
        publishing.close()
        summary.parent_run_id = publishing.publisher.parent_run_id
        summary.publishing_error = publishing.error
        return summary


def stacks(runs: Sequence[Planned], stack_bytes: int) -> Iterator[engines.Work]:
    """Runs grouped by signature, each group cut so that a stack stays within the cache."""
    groups: dict[Any, list[Planned]] = {}
    sizes: dict[Any, int] = {}
    for run in runs:
        member = build(run.config).member
        key = signature(member)
        groups.setdefault(key, []).append(run)
        if key not in sizes:
            sizes[key] = largest(member, stack_bytes)
    for key, group in groups.items():
        for start in range(0, len(group), sizes[key]):
            chosen = group[start : start + sizes[key]]
            yield engines.Work(
                tuple(run.fingerprint for run in chosen), tuple(run.config for run in chosen)
            )


def largest(member: Member, stack_bytes: int) -> int:
    """How many runs like this one fit a stack: its weights five times, its activations thrice."""
    prepared = prepare_for(member)
    x, y = prepared.ready("train", member.loss.task, member.dtype)
    rng = np.random.default_rng(0)
    layers = member.model.init(rng, member.initializer, x.shape[1], y.shape[1])
    numbers, widths = sum(a.size for a in layers), sum(a.shape[-1] for a in layers)
    batch = min(member.batch_size or len(x), len(x))
    each = x.itemsize * (5 * numbers + batch * (x.shape[1] + 3 * widths))
    return int(np.clip(stack_bytes // each, 1, LARGEST_STACK))
