"""Keep what Hydra and OmegaConf have once in a process apart from what the caller has of it."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime
from hydra.version import VersionBase
from omegaconf.basecontainer import BaseContainer

from harness.config.record import LOCK, RESOLVERS, noting_resolver
from harness.tracking.backend.uri import ADDRESS, own_address

SINGLETONS = (GlobalHydra, HydraConfig, JobRuntime, VersionBase)


class HydraState:
    """One thread's own state of Hydra, which is in place of the caller's while it is entered.

    All of it is process-wide: 32 runs from 4 threads gave 3 right records, 6 under another run's
    name, and 23 errors. So one thread at a time has its state in place, and none while it trains.
    """

    def __init__(self, pinned: Mapping[str, str | None]) -> None:
        self._singletons: dict[Any, Any] = {}
        known = {name: r for name, r in BaseContainer._resolvers.items() if name in RESOLVERS}
        self._resolvers = known | {"oc.env": noting_resolver(pinned)}
        self._address: str | None = None

    def enter(self) -> None:
        """Wait for other threads, then put this state in place of the caller's."""
        LOCK.acquire()
        self._swap()
        self._address, own = os.environ.get(ADDRESS), own_address.get()
        _set_address(self._address if own is None else own)
        _here.state, _here.outside = self, None

    def leave(self, outside: "HydraState | None" = None) -> None:
        """Put the caller's state back, and let other threads work with Hydra."""
        _set_address(self._address)
        self._swap()
        _here.state, _here.outside = None, outside
        LOCK.release()

    def _swap(self) -> None:
        shared: dict[Any, Any] = Singleton._instances
        now = {kind: shared.pop(kind) for kind in SINGLETONS if kind in shared}
        shared.update(self._singletons)
        self._singletons = now
        # A new dict in one step: another thread of the caller sees all resolvers or the others.
        self._resolvers, BaseContainer._resolvers = BaseContainer._resolvers, self._resolvers


class _Here(threading.local):
    state: HydraState | None = None
    outside: HydraState | None = None  # the one that was left to train


_here = _Here()


def _set_address(uri: str | None) -> None:
    os.environ.pop(ADDRESS, None)
    if uri is not None:
        os.environ[ADDRESS] = uri


@contextmanager
def open_hydra(pinned: Mapping[str, str | None]) -> Iterator[None]:
    """Context manager: this thread alone works with Hydra, in a state of its own.

    Only the resolvers of Hydra and OmegaConf are known: others run code. The environment
    variables in `pinned` have the values that they have there; None: not set.
    """
    before, state = (_here.state, _here.outside), HydraState(pinned)
    state.enter()
    try:
        yield
    finally:
        state.leave()
        _here.state, _here.outside = before


@contextmanager
def outside_hydra() -> Iterator[None]:
    """Context manager: the caller's state is in place, and other threads may compose."""
    if (state := _here.state) is None:
        yield
        return
    state.leave(outside=state)
    try:
        yield
    finally:
        state.enter()


@contextmanager
def inside_hydra() -> Iterator[None]:
    """Context manager: go back to the state that `outside_hydra` has left."""
    if (state := _here.outside) is None:
        yield
        return
    state.enter()
    try:
        yield
    finally:
        state.leave(outside=state)
