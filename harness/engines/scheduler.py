"""Stacks dealt to workers, as many as there is room for; none is lost with a worker that dies."""

import re
import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from harness.engines.failures import failed_result
from harness.engines.worker import Work
from harness.errors import HarnessError
from harness.store.results import Result


class WorkerMessage(NamedTuple):
    """What a worker says of the stack that it was given."""

    key: Hashable
    results: list[Result]
    done: bool = False
    lost: str = ""  # why no more will come, if the worker died


class WorkerPool(Protocol):
    """The workers of an engine."""

    width: int  # how many stacks they take at once

    def submit(self, work: Work) -> Hashable:
        """Give a stack to a worker; a key to know it by."""

    def wait(self, keys: Sequence[Hashable], seconds: float | None) -> WorkerMessage | None:
        """The next that any worker says of these stacks; None if none does in these seconds."""

    def kill(self, key: Hashable) -> None:
        """End the worker that has this stack, and perhaps others; `wait` tells which are lost."""

    def close(self) -> None:
        """Let the workers go, at once."""


def schedule(works: Iterable[Work], crew: WorkerPool) -> Iterator[list[Result]]:
    """All results as they come. A stack is asked for when a worker is free for it.

    When a worker dies, other stacks may be lost with it, and nobody knows which one was at fault:
    each is tried once more, alone, for what it still owes. One that is lost again, or whose
    worker was silent for too long and was killed, is tried run by run: only a run that is lost
    when it is alone fails.
    """
    waiting, out, owed, alone = iter(works), dict[Hashable, Work](), list[Work](), False
    silence = WorkerDeadlines()
    while True:
        while not alone and len(out) < (crew.width if not owed else 1):
            alone = bool(owed)
            work = owed.pop() if alone else next(waiting, None)
            if work is None:
                break
            out[crew.submit(work)] = work
        if not out:
            return
        came = crew.wait([*out], silence.left())
        if came is None:
            silence.end(crew)
            continue
        if came.results:
            out[came.key] = out[came.key].after(came.results)
            yield came.results
        silence.heard(came.key, out[came.key].timeout)
        if came.done or came.lost:
            work, was_silent = out.pop(came.key), silence.forget(came.key)
            if came.lost and alone and len(work.fingerprints) == 1:
                error = WorkerHung(work.timeout) if was_silent else WorkerDied(came.lost)
                yield [failed_result(work.fingerprints[0], work.configs[0], error)]
            elif came.lost and work.fingerprints:
                owed += work.singly() if alone or was_silent else [work]
            alone = False


def explain_lost_worker(error: BaseException) -> str:
    """What became of a worker, in a line: if there is a traceback, the error at its end."""
    lines = str(error).strip().splitlines()
    errors = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(Error|Exception)\b", line)]
    return errors[-1] if errors else f"{type(error).__name__}: {' '.join(lines[:2])}"


class WorkerDeadlines:
    """Until when each worker must have given its next sign of life, and who did not."""

    def __init__(self) -> None:
        self._until: dict[Hashable, float] = {}
        self._ended: set[Hashable] = set()

    def heard(self, key: Hashable, timeout: float | None) -> None:
        """A sign of life; before the first one a worker may take its time."""
        if timeout is not None:
            self._until[key] = time.monotonic() + timeout

    def left(self) -> float | None:
        """Seconds until the first of them has been silent for too long."""
        if not self._until:
            return None
        return max(0.0, min(self._until.values()) - time.monotonic())

    def end(self, crew: WorkerPool) -> None:
        """Kill the workers that have been silent for too long."""
        now = time.monotonic()
        for key in [key for key, until in self._until.items() if until <= now]:
            del self._until[key]
            self._ended.add(key)
            crew.kill(key)

    def forget(self, key: Hashable) -> bool:
        """This stack is over; whether its worker was killed."""
        self._until.pop(key, None)
        return key in self._ended


class WorkerDied(HarnessError):
    """A worker was lost twice with the same run: killed, out of memory, or crashed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the worker died, twice: {reason}")


class WorkerHung(HarnessError):
    """A worker was silent for too long, twice, with the same run."""

    def __init__(self, timeout: float | None) -> None:
        super().__init__(f"run.timeout={timeout:g}: no epoch ended in that time, twice")
