"""Settings of the process for training: one BLAS thread, and arrays without detours."""

import ctypes
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock
from typing import Any, cast

import numpy as np
from threadpoolctl import ThreadpoolController

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
LARGEST = 1 << 30  # bytes
BUFFER = 512  # numbers


@cache
def _keep_freed_memory() -> None:
    """Make glibc's malloc, where it is used, keep the memory that is freed."""
    # By default malloc maps each array above 128 kB anew, and the kernel fills it with zeros
    # page by page: up to half of the time of a training step. No number depends on it.
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        if mallopt(M_MMAP_THRESHOLD, LARGEST):
            mallopt(M_TRIM_THRESHOLD, LARGEST)


@contextmanager
def single_threaded_numpy() -> Iterator[None]:
    """Context manager: one BLAS thread, no floating-point warnings, a small ufunc buffer."""
    # One BLAS thread: with two, a matrix product has other bits than with one.
    # A small buffer: up to its size (8,192 numbers by default) NumPy copies arrays that are not
    # contiguous, as activations over their row of ones are, which takes two to three times as
    # long. No number depends on it.
    _keep_freed_memory()
    before = np.setbufsize(BUFFER)
    try:
        with _one_blas_thread(), np.errstate(all="ignore"):
            yield
    finally:
        np.setbufsize(before)


class Shared:
    """A change of the whole process, made by the first thread that needs it, undone by the last.

    Each thread by itself would put back what another one has set.
    """

    def __init__(self, change: Callable[[], Callable[[], None]]) -> None:
        self._change, self._lock, self._users = change, Lock(), 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Context manager: the change is made."""
        with self._lock:
            if self._users == 0:
                self._undo = self._change()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._undo()


def _limit_blas() -> Callable[[], None]:
    undo: Callable[[], None] = _pools().limit(limits=1, user_api="blas").restore_original_limits
    return undo


def _watch_logging() -> Callable[[], None]:
    known = logging.root.manager.loggerDict.values()
    loggers = [logging.root, *(each for each in known if isinstance(each, logging.Logger))]
    before = [(each, {**vars(each)}, [*each.handlers]) for each in loggers]
    filters: list[Any] = [*warnings.filters]

    def undo() -> None:
        for logger, state, handlers in before:
            logger.handlers[:] = handlers
            logger.propagate, logger.disabled = state["propagate"], state["disabled"]
            if logger.level != state["level"]:
                logger.setLevel(state["level"])
        if [*warnings.filters] != filters:
            cast(Any, warnings).filters[:] = filters
            cast(Any, warnings)._filters_mutated()

    return undo


_one_blas_thread = Shared(_limit_blas)
# MLflow, Optuna and Hydra's launchers set levels, handlers and filters of the whole process.
callers_logging = Shared(_watch_logging)


@contextmanager
def watch_global_rng() -> Iterator[Callable[[], bool]]:
    """Context manager: give a function that says whether NumPy's global generator was drawn from.

    At the end the generator is as it was.
    """
    before: Any = np.random.get_state()  # noqa: NPY002

    def drew() -> bool:
        now: Any = np.random.get_state()  # noqa: NPY002
        return now[2:] != before[2:] or not np.array_equal(now[1], before[1])

    try:
        yield drew
    finally:
        np.random.set_state(before)  # noqa: NPY002


@cache
def _pools() -> Any:
    """Return the loaded libraries that have threads; cached, as a search outlasts a short run."""
    return ThreadpoolController()
