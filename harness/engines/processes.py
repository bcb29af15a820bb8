"""Workers on this machine, one a core, in loky's process pool."""

import os
import secrets
import signal
import threading
import time
import warnings
from collections.abc import Hashable, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from itertools import count
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from loky.process_executor import ProcessPoolExecutor

from harness.engines.scheduler import WorkerMessage, explain_lost_worker
from harness.engines.worker import Work, train_work

if TYPE_CHECKING:
    from harness.engines import Engine

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PARENT_CHECK_SECONDS = 1.0  # a worker checks so often whether its parent is alive


class WorkerPool:
    """Worker processes that send results by a local connection and end with their parent."""

    def __init__(self, engine: "Engine", folder: str) -> None:
        self.width = engine.width
        self._inbox: SimpleQueue[WorkerMessage] = SimpleQueue()
        self._keys, self._secret = count(), secrets.token_bytes(16)
        self._listener = Listener(authkey=self._secret)
        threading.Thread(target=self._accept, daemon=True).start()
        self._pool = self._workers()
        self._pids: dict[Hashable, int] = {}

    def submit(self, work: Work) -> Hashable:
        key = next(self._keys)
        try:
            future = self._pool.submit(_work, self._listener.address, self._secret, key, work)
        except BrokenExecutor:  # a worker died, and loky has ended the others: begin anew
            self._pool = self._workers()
            return self.submit(work)
        future.add_done_callback(lambda done: self._ended(key, done))
        return key

    def wait(self, keys: Sequence[Hashable], seconds: float | None) -> WorkerMessage | None:
        while True:
            try:
                message = self._inbox.get(timeout=seconds)
            except Empty:
                return None
            if message.key in keys:
                return message

    def kill(self, key: Hashable) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pids[key], signal.SIGKILL)

    def close(self) -> None:
        self._pool.shutdown(wait=True, kill_workers=True)
        self._listener.close()

    def _workers(self) -> Any:
        return ProcessPoolExecutor(self.width, env=ONE_THREAD, initializer=_start_worker)

    def _ended(self, key: int, future: Any) -> None:
        if future.cancelled() or future.exception() is not None:
            reason = "cancelled" if future.cancelled() else explain_lost_worker(future.exception())
            self._inbox.put(WorkerMessage(key, [], lost=reason))

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except (EOFError, ConnectionError, AuthenticationError):  # the worker died
                continue
            except OSError:  # closed
                return
            threading.Thread(target=self._receive, args=[connection], daemon=True).start()

    def _receive(self, connection: Connection) -> None:
        """Put the messages of one worker about one stack into the inbox, until it ends or dies."""
        with connection, suppress(EOFError, OSError):
            key, self._pids[key] = connection.recv()
            while (results := connection.recv()) is not None:
                self._inbox.put(WorkerMessage(key, results))
            self._inbox.put(WorkerMessage(key, [], done=True))


def _start_worker() -> None:
    """Make this worker leave Ctrl-C to its parent, and end when its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, as in the command line
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(address: Any, secret: bytes, key: int, work: Work) -> None:
    with Client(address, authkey=secret) as driver:
        driver.send((key, os.getpid()))
        for results in train_work(work):
            driver.send(results)
        driver.send(None)
