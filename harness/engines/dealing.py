"""Stacks dealt to workers, as many as there is room for; none is lost with a worker that dies."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from harness.engines.work import Work
from harness.errors import HarnessError
from harness.runs import failure
from harness.store import Result


class Came(NamedTuple):
    """What a worker says of the stack that it was given."""

    key: Hashable
    results: list[Result]
    done: bool = False
    lost: str = ""  # why no more will come, if the worker died


class Crew(Protocol):
    """The workers of an engine."""

    width: int  # how many stacks they take at once

    def submit(self, work: Work) -> Hashable:
        """Give a stack to a worker; a key to know it by."""

    def wait(self, keys: Sequence[Hashable]) -> Came:
        """The next that any worker says of these stacks."""

    def close(self) -> None:
        """Let the workers go, at once."""


def dealt(works: Iterable[Work], crew: Crew) -> Iterator[list[Result]]:
    """All results as they come. A stack is asked for when a worker is free for it.

    When a worker dies, other stacks may be lost with it, and nobody knows which one was at fault:
    each is tried once more, alone, for what it still owes. Only one that is lost again fails.
    """
    waiting, out, owed, alone = iter(works), dict[Hashable, Work](), list[Work](), False
    while True:
        while not alone and len(out) < (crew.width if not owed else 1):
            alone = bool(owed)
            work = owed.pop() if alone else next(waiting, None)
            if work is None:
                break
            out[crew.submit(work)] = work
        if not out:
            return
        came = crew.wait([*out])
        if came.results:
            ended = {r.fingerprint for r in came.results if r.outcome != "running"}
            out[came.key] = out[came.key].without(ended)
            yield came.results
        if came.done or came.lost:
            work = out.pop(came.key)
            if came.lost and work.fingerprints and alone:
                yield [failure(each, WorkerDied(came.lost)) for each in work.fingerprints]
            elif came.lost and work.fingerprints:
                owed.append(work)
            alone = False


class WorkerDied(HarnessError):
    """A worker was lost twice with the same stack: killed, out of memory, or crashed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the worker died, twice: {reason}")
