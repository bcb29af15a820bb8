"""Freed arrays stay with the process: large ones are not asked of the system at every step."""

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
LARGEST = 1 << 30  # bytes


@cache
def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep what is freed; whether there was a glibc to tell.

    By default it maps each array above 128 kB anew, and the kernel fills it with zeros page by
    page: up to half of the time of a training step. Numbers do not depend on it.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST) and mallopt(M_TRIM_THRESHOLD, LARGEST))
