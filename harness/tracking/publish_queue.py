"""The queue of what is to be published, and the thread that works it off beside the training."""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from harness.errors import DiskError, HarnessError, OutOfReach, TrackingError

log = logging.getLogger(__name__)

# Seconds until a store that is away is tried again: doubled each time.
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 5.0, 60.0
HUNG_SECONDS = 120.0  # without any answer, after which close() no longer waits for the thread
CLOSE_SECONDS = 2.0  # that close(within) grants the task in hand after `within` seconds
OPEN, STOP, LAST = "open", "stop", "last"


class Task(NamedTuple):
    """A call that is tried again and again until it succeeds."""

    do: Callable[[], object]
    due: float = 0.0  # not before this time, by the monotonic clock
    snapshot: bool = False  # whether a later task may replace it, and close() may drop it


class PublishQueue:
    """A queue of tasks, and a thread that does one after another.

    When a task finds the store away, the queue warns once, keeps all tasks, and tries again at
    intervals and once more when it is closed. A task that fails otherwise is dropped.
    """

    # A run of the notebook's net trains in 1 ms and is published in 26 ms (a log_batch takes 3 ms
    # and 0.055 ms a point), MLflow's import takes 1.6 to 3 s, and one call may wait 20 s for a
    # store that is away: a sweep that published between its stacks would mostly wait. Hence one
    # thread, and tasks by key: of a run only its latest snapshot is kept, so that nothing piles
    # up while the store is away, and its result takes the snapshot's place.

    def __init__(
        self,
        open_store: Callable[[], object],
        last_answer: Callable[[], float],
        quiet: bool = False,
    ) -> None:
        self._away: HarnessError | None = None  # why the store cannot be reached now
        self._refused: HarnessError | None = None  # the first failure that will not pass
        self._last_answer, self._quiet = last_answer, quiet
        self._tasks = {OPEN: Task(open_store)}
        self._wait, self._next_try = FIRST_RETRY_SECONDS, 0.0
        self._closing = self._tried_last = False
        self._end, self._began = float("inf"), time.monotonic()
        self._changed = threading.Condition()
        self._ended = threading.Event()  # is_alive() is wrong once a signal has cut a join() short
        # A daemon: a store that neither answers nor hangs up cannot keep the program from ending.
        threading.Thread(target=self._work, name="publishing", daemon=True).start()

    @property
    def error(self) -> HarnessError | None:
        """The first error that kept something from being published, or None."""
        return self._refused or self._away

    def __len__(self) -> int:
        return len(self._tasks)

    def put(self, key: str, do: Callable[[], object], urgent: bool = False) -> None:
        """Queue a task, as the last or the next; it replaces the task of the same key."""
        with self._changed:
            self._tasks[key] = Task(do)
            if urgent:
                first = {name: self._tasks[name] for name in (OPEN, key) if name in self._tasks}
                self._tasks = first | self._tasks
            self._changed.notify_all()

    def put_snapshot(self, key: str, do: Callable[[], object], delay: float) -> None:
        """Queue a snapshot: run after `delay` s, replaced by a newer one, dropped by close()."""
        with self._changed:
            queued = self._tasks.get(key)
            if queued is None or queued.snapshot:
                due = queued.due if queued else time.monotonic() + delay
                self._tasks[key] = Task(do, due, snapshot=True)
                self._changed.notify_all()

    def wait_until_open(self) -> None:
        """Return when the store was reached, or could not be reached."""
        with self._changed:
            self._changed.wait_for(lambda: OPEN not in self._tasks or self.error is not None)

    def close(self, within: float = float("inf")) -> None:
        """Wait until all tasks are done, or the store was away once more; drop snapshots.

        After `within` seconds no task but the last is begun.
        """
        with self._changed:
            self._tasks = {key: task for key, task in self._tasks.items() if not task.snapshot}
            self._closing = True
            self._began = time.monotonic()
            self._end = min(self._end, self._began + within)
            self._changed.notify_all()
        while not self._ended.wait(0.1) and not self._is_late():
            pass
        if self._tasks and self.error is None:
            self._refused = TrackingError("there was no time to publish all that is trained")

    def _is_late(self) -> bool:
        now, alive = time.monotonic(), max(self._began, self._last_answer())
        return now > self._end + CLOSE_SECONDS or now > alive + HUNG_SECONDS

    @np.errstate(all="ignore")  # a thread has NumPy's own settings, and figures overflow
    def _work(self) -> None:
        while (found := self._next()) is not None:
            key, task = found
            self._began, error = time.monotonic(), None
            try:
                task.do()
            except HarnessError as failure:
                error = failure
            except Exception as failure:  # a bug here must not lose what is trained
                log.debug("publishing failed", exc_info=True)
                error = HarnessError(f"publishing failed: {type(failure).__name__}: {failure}")
            with self._changed:
                self._note_end(key, task, error)
                self._changed.notify_all()
        self._ended.set()

    def _next(self) -> tuple[str, Task] | None:
        """Wait for the next task that is due; None if there will be none."""
        with self._changed:
            while True:
                now = time.monotonic()
                if now > self._end:
                    return self._last_task()
                if self._closing and (not self._tasks or (self._away and self._tried_last)):
                    return None
                due = self._next_try
                if self._closing or now >= due:
                    for key, task in self._tasks.items():
                        if task.due <= now:
                            self._tried_last = self._closing and self._away is not None
                            return key, task
                    dues = (task.due for task in self._tasks.values())
                    due = min(dues, default=now + LONGEST_RETRY_SECONDS)
                self._changed.wait(min(due, self._end) - now)

    def _last_task(self) -> tuple[str, Task] | None:
        if self._away or OPEN in self._tasks or LAST not in self._tasks:
            return None
        return LAST, self._tasks[LAST]

    def _note_end(self, key: str, task: Task, error: HarnessError | None) -> None:
        if error is not None and self.error is None and not self._quiet:
            log.warning("not published for now, training goes on: %s", error)
        if error is not None and (key == OPEN or isinstance(error, OutOfReach | DiskError)):
            self._away, self._next_try = error, time.monotonic() + self._wait
            self._wait = min(2 * self._wait, LONGEST_RETRY_SECONDS)
            return
        if error is not None:
            self._refused = self._refused or error
        else:
            if self._away is not None:
                log.warning("the store is back: what was not published yet is published now")
            self._away, self._wait = None, FIRST_RETRY_SECONDS
        if self._tasks.get(key) is task:
            del self._tasks[key]
