"""Settings of the process for training: one BLAS thread, and arrays without detours."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

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
        with _pools().limit(limits=1, user_api="blas"), np.errstate(all="ignore"):
            yield
    finally:
        np.setbufsize(before)


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
