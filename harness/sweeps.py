"""A sweep: group its runs into stacks, train them on an engine, publish what is trained."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness import engines, leaderboard, store
from harness.compose import build
from harness.data import prepare_for
from harness.errors import HarnessError, UsageError
from harness.leaderboard import Standing
from harness.publishing import Publishing
from harness.stack import Member, signature
from harness.store import Manifest, Planned, Result
from harness.tracking.uri import tracking_uri

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
    experiment_id: str | None = None
    publishing_error: HarnessError | None = None

    @property
    def best(self) -> Standing | None:
        """The best run, if any ended well."""
        return leaderboard.best(self.ranked, self.manifest.objective)

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


def carry_out(
    directory: Path,
    *,
    only: set[str] | None = None,
    whole: bool = True,
    stack_bytes: int = STACK_BYTES,
    progress: Callable[[int, list[Result]], None] = lambda total, results: None,
) -> Summary:
    """Train what the manifest asks for and is not trained yet; publish; say how it ended.

    Only the manifest and the results on disk are read, so that this is also how a stopped sweep
    is resumed. `only` limits it to some runs; `whole` also writes what is known of all of them.
    """
    manifest = store.read_manifest(directory)
    uri = tracking_uri(manifest.tracking.get("uri"), Path(manifest.cwd))
    runs = [run for run in manifest.runs if only is None or run.fingerprint in only]
    by_name = {run.fingerprint: run for run in runs}
    publishing = Publishing(uri, manifest, directory)
    summary = Summary(directory, manifest, uri, run_ids=publishing.run_ids)
    in_hand: dict[str, Result] = {}

    def keep(result: Result, *, trained: bool) -> None:
        if trained:
            store.write_result(directory, result)
        in_hand.pop(result.fingerprint, None)
        publishing.submit(by_name[result.fingerprint], result)
        summary.ranked.append(leaderboard.standing(by_name[result.fingerprint], result))

    try:
        pending = []
        for run in runs:
            result = store.read_result(directory, run.fingerprint)
            keep(result, trained=False) if result else pending.append(run)
        for _, results in engines.serial(stacks(pending, stack_bytes)):
            for result in results:
                if result.outcome == "running":
                    in_hand[result.fingerprint] = result
                    publishing.submit(by_name[result.fingerprint], result)
                else:
                    keep(result, trained=True)
            progress(len(runs), results)
        return _end(summary, publishing, whole, "FINISHED")
    except KeyboardInterrupt as cause:
        for result in in_hand.values():
            stopped = Result(**vars(result) | {"outcome": "stopped", "reason": "interrupted"})
            publishing.submit(by_name[result.fingerprint], stopped)
        raise Interrupted(_end(summary, publishing, whole, "KILLED"), cause) from None
    finally:
        publishing.close()


def _end(summary: Summary, publishing: Publishing, whole: bool, status: str) -> Summary:
    summary.ranked = leaderboard.rank(summary.ranked, summary.manifest.objective)
    if whole and not summary.manifest.single:
        publishing.finish(summary.ranked, summary.counts, status)
    publishing.close()
    summary.parent_run_id = publishing.publisher.parent_run_id
    summary.experiment_id = publishing.publisher.experiment_id
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
