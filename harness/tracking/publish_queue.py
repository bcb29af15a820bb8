"""What is to be published, and the thread that does it: now, or when the store is back."""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from harness.errors import DiskError, HarnessError, OutOfReach, TrackingError

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = (
    5.0,
    60.0,
)  # seconds until a store that is away is tried again: ever longer
HUNG_SECONDS = 120.0  # seconds without a sign of life, after which the thread is not waited for
CLOSE_SECONDS = 2.0  # seconds to end what is in hand, for one who is in a hurry
OPEN, STOP, LAST = "open", "stop", "last"


class Task(NamedTuple):
    """Something to be done, again and again until it works."""

    do: Callable[[], object]
    due: float = 0.0
    passing: bool = False  # whether it may be let go: a snapshot, and a later one will come


class PublishQueue:
    """A thread that does one task after another; nobody waits for it before the end.

    When a task finds the store away, that is said once, all tasks stay, and the thread tries
    again at intervals, and once more at the end. A task that fails otherwise is left aside.
    """

    def __init__(
        self, begin: Callable[[], object], heard: Callable[[], float], quiet: bool = False
    ) -> None:
        self.away: HarnessError | None = None  # why the store cannot be reached now
        self.refused: HarnessError | None = None  # the first failure that will not pass
        self._heard, self._quiet, self._tasks = heard, quiet, {OPEN: Task(begin)}
        self._wait, self._again = FIRST_RETRY_SECONDS, 0.0
        self._closing = self._tried = False
        self._end, self._began = float("inf"), time.monotonic()
        self._changed = threading.Condition()
        self._ended = threading.Event()  # is_alive() is wrong once a signal has cut a join() short
        # A daemon: a store that neither answers nor hangs up cannot keep the program from ending.
        threading.Thread(target=self._work, name="publishing", daemon=True).start()

    @property
    def error(self) -> HarnessError | None:
        """Why not all is published, if so."""
        return self.refused or self.away

    def __len__(self) -> int:
        return len(self._tasks)

    def put(self, key: str, do: Callable[[], object], urgent: bool = False) -> None:
        """To be done in its turn, or next; in place of what had the same key."""
        with self._changed:
            self._tasks[key] = Task(do)
            if urgent:
                first = {name: self._tasks[name] for name in (OPEN, key) if name in self._tasks}
                self._tasks = first | self._tasks
            self._changed.notify_all()

    def put_passing(self, key: str, do: Callable[[], object], delay: float) -> None:
        """To be done after a delay, or not at all; the latest of a key stands for all of them."""
        with self._changed:
            there = self._tasks.get(key)
            if there is None or there.passing:
                due = there.due if there else time.monotonic() + delay
                self._tasks[key] = Task(do, due, passing=True)
                self._changed.notify_all()

    def wait_until_open(self) -> None:
        """Return when the store was reached, or could not be."""
        with self._changed:
            self._changed.wait_for(lambda: OPEN not in self._tasks or self.error is not None)

    def close(self, within: float = float("inf")) -> None:
        """Wait until all is done, or the store was away once more; passing tasks are let go.

        After `within` seconds no task but the last is begun.
        """
        with self._changed:
            self._tasks = {key: task for key, task in self._tasks.items() if not task.passing}
            self._closing = True
            self._began = time.monotonic()
            self._end = min(self._end, self._began + within)
            self._changed.notify_all()
        while not self._ended.wait(0.1) and not self._is_late():
            pass
        if self._tasks and self.error is None:
            self.refused = TrackingError("there was no time to publish all that is trained")

    def _is_late(self) -> bool:
        now = time.monotonic()
        return (
            now > self._end + CLOSE_SECONDS or now > max(self._began, self._heard()) + HUNG_SECONDS
        )

    def _work(self) -> None:
        while (found := self._next()) is not None:
            key, task = found
            self._began = time.monotonic()
            try:
                task.do()
            except HarnessError as error:
                self._failed(key, task, error)
            except Exception as error:  # a bug here must not lose what is trained
                log.debug("publishing failed", exc_info=True)
                text = f"publishing failed: {type(error).__name__}: {error}"
                self._failed(key, task, HarnessError(text))
            else:
                self._done(key, task)
        self._ended.set()

    def _next(self) -> tuple[str, Task] | None:
        """The task whose turn it is, when it is; None if there will be none."""
        with self._changed:
            while True:
                now = time.monotonic()
                if now > self._end:
                    return self._parting()
                if self._closing and (not self._tasks or (self.away and self._tried)):
                    return None
                due = self._again
                if self._closing or now >= self._again:
                    for key, task in self._tasks.items():
                        if task.due <= now:
                            self._tried = self._closing and self.away is not None
                            return key, task
                    due = min(
                        (task.due for task in self._tasks.values()),
                        default=now + LONGEST_RETRY_SECONDS,
                    )
                self._changed.wait(min(due, self._end) - now)

    def _parting(self) -> tuple[str, Task] | None:
        if self.away or OPEN in self._tasks or LAST not in self._tasks:
            return None
        return LAST, self._tasks[LAST]

    def _failed(self, key: str, task: Task, error: HarnessError) -> None:
        with self._changed:
            if self.error is None and not self._quiet:
                log.warning("not published for now, training goes on: %s", error)
            if key == OPEN or isinstance(error, OutOfReach | DiskError):
                self.away, self._again = error, time.monotonic() + self._wait
                self._wait = min(2 * self._wait, LONGEST_RETRY_SECONDS)
            else:
                self.refused = self.refused or error
                self._forget(key, task)
            self._changed.notify_all()

    def _done(self, key: str, task: Task) -> None:
        with self._changed:
            if self.away is not None:
                log.warning("the store is back: what was not published yet is published now")
            self.away, self._wait = None, FIRST_RETRY_SECONDS
            self._forget(key, task)
            self._changed.notify_all()

    def _forget(self, key: str, task: Task) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
