"""Arrays go no detours: freed ones stay with the process, none is copied to be computed."""

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
    """Tell glibc's malloc, if it is the one, to keep what is freed.

    By default it maps each array above 128 kB anew, and the kernel fills it with zeros page by
    page: up to half of the time of a training step. Numbers do not depend on it.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        if mallopt(M_MMAP_THRESHOLD, LARGEST):
            mallopt(M_TRIM_THRESHOLD, LARGEST)


@contextmanager
def single_threaded_numpy() -> Iterator[None]:
    """One BLAS thread, no floating-point warnings, no detours of arrays through a buffer.

    Up to the size of its buffer (8192 numbers) NumPy copies what is not contiguous, as activations
    over their row of ones are: two to three times the work. Numbers do not depend on it.
    """
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
    """The libraries with threads of their own; to find them takes longer than a short run."""
    return ThreadpoolController()
