"""The work that an engine is given: a stack of runs, and how a worker trains it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

from harness.config import plugin_files
from harness.config.build import build
from harness.engines.failures import failed_result
from harness.errors import is_interruption
from harness.store.params import Config
from harness.store.results import Result
from harness.training.runtime import single_threaded_numpy, watch_global_rng
from harness.training.session import Prune, TrainingSession

DREW = "a plugin drew from np.random itself: not repeatable (harness check finds it)"


class Pruning(Protocol):
    """Decides which runs end early: a search makes it, and a worker asks it."""

    def pruner(self) -> Prune:
        """Make the function that notes a run's loss and returns whether the run ends here."""


@dataclass(frozen=True)
class Work:
    """Runs with one signature, to be trained as one stack: a worker is sent this."""

    fingerprints: tuple[str, ...]
    configs: tuple[Config, ...]
    pruning: Pruning | None = None
    timeout: float | None = None  # seconds of silence after which its worker is lost
    kept: Mapping[str, bytes] = field(default_factory=dict)  # checkpoints
    folders: Sequence[str] = field(
        default_factory=lambda: [*map(str, plugin_files.plugin_folders())]
    )

    def after(self, results: Sequence[Result]) -> "Work":
        """Return the work without the runs that have ended, and with the latest checkpoints."""
        done = {result.fingerprint for result in results if result.outcome != "running"}
        pairs = zip(self.fingerprints, self.configs, strict=True)
        rest = {name: config for name, config in pairs if name not in done}
        latest = {result.fingerprint: result.checkpoint for result in results if result.checkpoint}
        kept = {name: each for name, each in {**self.kept, **latest}.items() if name in rest}
        return replace(self, fingerprints=(*rest,), configs=(*rest.values(),), kept=kept)

    def singly(self) -> list["Work"]:
        """Return each run as a stack of its own."""
        pairs = zip(self.fingerprints, self.configs, strict=True)
        return [replace(self, fingerprints=(name,), configs=(config,)) for name, config in pairs]


def train_work(work: Work) -> Iterator[list[Result]]:
    """Train one stack: yield snapshots every few seconds, and each run's result when it has ended.

    The first list is empty: it is the sign that the worker has begun.
    """
    yield []
    plugin_files.use_recorded_folders(work.folders)
    prune = None if work.pruning is None else work.pruning.pruner()
    with watch_global_rng() as drew:
        for results in train_stack(work.fingerprints, work.configs, prune, work.kept):
            yield [_with_note(result) for result in results] if drew() else results


def _with_note(result: Result) -> Result:
    if result.reason.endswith(DREW):
        return result
    return replace(result, reason="; ".join(filter(None, (result.reason, DREW))))


def train_stack(
    fingerprints: Sequence[str],
    configs: Sequence[Config],
    prune: Prune | None = None,
    kept: Mapping[str, bytes] = MappingProxyType({}),
) -> Iterator[list[Result]]:
    """Train runs that share a signature together, as one stack.

    Lists come every few seconds: snapshots of the runs in training (outcome "running"), now and
    then with a checkpoint, and one final result of each run soon after it ended. A run continues
    from its checkpoint in `kept`. A run ends early (outcome "pruned") where
    `prune(fingerprint, epoch, judged loss)` returns true; it is asked about 20 times a run. If a
    stack raises, its runs are trained again one by one, so that only the one at fault fails.
    """
    ended, latest = set[str](), dict(kept)
    training: TrainingSession | None = None
    try:
        with single_threaded_numpy():
            members = [build(config) for config in configs]
            training = TrainingSession(members, fingerprints, prune, latest)
            for results in training.results():
                ended |= {r.fingerprint for r in results if r.outcome != "running"}
                latest |= {r.fingerprint: r.checkpoint for r in results if r.checkpoint}
                # The dataset is loaded once a process, before any training is watched.
                yield [*map(_with_note, results)] if training.prepared.drew else results
        return
    except BaseException as error:
        if is_interruption(error):
            raise
        pairs = zip(fingerprints, configs, strict=True)
        suspects = [pair for pair in pairs if pair[0] not in ended]
        if len(suspects) == 1:
            failed = failed_result(*suspects[0], error)
            yield [training.add_history(failed) if training else failed]
            return
    for fingerprint, config in suspects:
        yield from train_stack([fingerprint], [config], prune, latest)
