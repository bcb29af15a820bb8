"""Where stacks are trained: each engine is a generator of (stack number, results) as they come."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from harness.recording import Config
from harness.runs import train_stack
from harness.store import Result


class Work(NamedTuple):
    """One stack to train: what a worker is sent."""

    fingerprints: tuple[str, ...]
    configs: tuple[Config, ...]


def serial(stacks: Iterable[Work]) -> Iterator[tuple[int, list[Result]]]:
    """In this process, one after the other; snapshots of long ones come on the way."""
    for number, work in enumerate(stacks):
        for results in train_stack(*work):
            yield number, results
