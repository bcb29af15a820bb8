"""What an engine is given: stacks to train, and how a worker trains one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness.config import plugin_files
from harness.search.pruning import Pruning, pruner
from harness.store.params import Config
from harness.store.results import Result
from harness.training.session import train_stack

DREW = "a plugin drew from np.random itself: not repeatable (harness check finds it)"


@dataclass(frozen=True)
class Work:
    """Runs with one signature, to be trained as one stack: what a worker is sent."""

    fingerprints: tuple[str, ...]
    configs: tuple[Config, ...]
    slots: int | None = None  # how many are trained at once; the others wait for a place
    pruning: Pruning | None = None
    timeout: float | None = None  # seconds of silence after which its worker is lost
    kept: Mapping[str, bytes] = field(default_factory=dict)  # checkpoints
    folders: Sequence[str] = field(default_factory=lambda: [*map(str, plugin_files.folders())])

    def after(self, results: Sequence[Result]) -> "Work":
        """What is left of it: without the runs that have ended, with the latest checkpoints."""
        done = {result.fingerprint for result in results if result.outcome != "running"}
        pairs = zip(self.fingerprints, self.configs, strict=True)
        left = {name: config for name, config in pairs if name not in done}
        latest = {result.fingerprint: result.checkpoint for result in results if result.checkpoint}
        kept = {name: each for name, each in {**self.kept, **latest}.items() if name in left}
        return replace(self, fingerprints=(*left,), configs=(*left.values(),), kept=kept)

    def singly(self) -> list["Work"]:
        """Each run as a stack of its own."""
        pairs = zip(self.fingerprints, self.configs, strict=True)
        return [replace(self, fingerprints=(name,), configs=(config,)) for name, config in pairs]


def train(work: Work) -> Iterator[list[Result]]:
    """Train one stack: snapshots every few seconds, and each run's result when it has ended.

    It begins with an empty list: a worker's word that it has begun.
    """
    yield []
    plugin_files.recall(work.folders)
    prune = None if work.pruning is None else pruner(work.pruning)
    with unrepeatable() as drew:
        for results in train_stack(work.fingerprints, work.configs, work.slots, prune, work.kept):
            yield [_noted(result) for result in results] if drew() else results


@contextmanager
def unrepeatable() -> Iterator[Callable[[], bool]]:
    """Whether a plugin drew from NumPy's global generator meanwhile; nobody else does."""
    before: Any = np.random.get_state()  # noqa: NPY002

    def drew() -> bool:
        now: Any = np.random.get_state()  # noqa: NPY002
        return now[2:] != before[2:] or not np.array_equal(now[1], before[1])

    try:
        yield drew
    finally:
        np.random.set_state(before)  # noqa: NPY002


def _noted(result: Result) -> Result:
    return replace(result, reason="; ".join(filter(None, (result.reason, DREW))))
