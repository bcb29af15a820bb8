"""Give stacks to workers as they become free; train a stack again if its worker dies."""

import re
import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from harness.engines.failures import failed_result
from harness.engines.worker import Work
from harness.errors import HarnessError
from harness.store.results import Result


class WorkerMessage(NamedTuple):
    """A message of a worker about the stack that it trains."""

    key: Hashable
    results: list[Result]
    done: bool = False
    lost: str = ""  # the reason, if the worker died


class WorkerPool(Protocol):
    """The workers of an engine."""

    width: int  # number of stacks that they train at once

    def submit(self, work: Work) -> Hashable:
        """Give a stack to a worker; return a key that identifies it."""

    def wait(self, keys: Sequence[Hashable], seconds: float | None) -> WorkerMessage | None:
        """Return the next message about one of these stacks; None if none comes in time."""

    def kill(self, key: Hashable) -> None:
        """Kill the worker of this stack, perhaps others with it; `wait` returns which are lost."""

    def close(self) -> None:
        """End all workers at once."""


def schedule(works: Iterable[Work], pool: WorkerPool) -> Iterator[list[Result]]:
    """Yield all results as they come. The next stack is taken when a worker is free for it.

    When a worker dies, other stacks may be lost with it, and the one at fault is not known: each
    is tried once more, alone, for its runs without a result. A stack that is lost again, or whose
    worker was silent for too long and was killed, is tried run by run: only a run that is lost
    while it is alone fails.
    """
    waiting, running, lost = iter(works), dict[Hashable, Work](), list[Work]()
    alone, deadlines = False, WorkerDeadlines()
    while True:
        while not alone and len(running) < (pool.width if not lost else 1):
            alone = bool(lost)
            work = lost.pop() if alone else next(waiting, None)
            if work is None:
                break
            running[pool.submit(work)] = work
        if not running:
            return
        message = pool.wait([*running], deadlines.remaining())
        if message is None:
            deadlines.kill_overdue(pool)
            continue
        key = message.key
        if message.results:
            running[key] = running[key].after(message.results)
            yield message.results
        deadlines.renew(key, running[key].timeout)
        if message.done or message.lost:
            work, was_silent = running.pop(key), deadlines.forget(key)
            if message.lost and alone and len(work.fingerprints) == 1:
                error = WorkerHung(work.timeout) if was_silent else WorkerDied(message.lost)
                yield [failed_result(work.fingerprints[0], work.configs[0], error)]
            elif message.lost and work.fingerprints:
                lost += work.singly() if alone or was_silent else [work]
            alone = False


def explain_lost_worker(error: BaseException) -> str:
    """Return in one line why a worker was lost: of a traceback, the error at its end."""
    lines = str(error).strip().splitlines()
    errors = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(Error|Exception)\b", line)]
    return errors[-1] if errors else f"{type(error).__name__}: {' '.join(lines[:2])}"


class WorkerDeadlines:
    """The `run.timeout` deadline of each worker, and which workers were killed for missing it."""

    def __init__(self) -> None:
        self._until: dict[Hashable, float] = {}
        self._killed: set[Hashable] = set()

    def renew(self, key: Hashable, timeout: float | None) -> None:
        """Set the deadline after a message; before its first message a worker has none."""
        if timeout is not None:
            self._until[key] = time.monotonic() + timeout

    def remaining(self) -> float | None:
        """Return the seconds until the first deadline; None if there is none."""
        if not self._until:
            return None
        return max(0.0, min(self._until.values()) - time.monotonic())

    def kill_overdue(self, pool: WorkerPool) -> None:
        """Kill the workers that have missed their deadline."""
        now = time.monotonic()
        for key in [key for key, until in self._until.items() if until <= now]:
            del self._until[key]
            self._killed.add(key)
            pool.kill(key)

    def forget(self, key: Hashable) -> bool:
        """Forget a stack that is over; return whether its worker was killed."""
        self._until.pop(key, None)
        return key in self._killed


class WorkerDied(HarnessError):
    """A worker was lost twice with the same run: killed, out of memory, or crashed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the worker died, twice: {reason}")


class WorkerHung(HarnessError):
    """A worker was silent for too long, twice, with the same run."""

    def __init__(self, timeout: float | None) -> None:
        super().__init__(f"run.timeout={timeout:g}: no epoch ended in that time, twice")
