"""Engines train stacks in this process, in worker processes or on a cluster."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from importlib import import_module
from typing import Any, NamedTuple

from harness.engines.scheduler import schedule
from harness.engines.worker import Work, train_work
from harness.errors import UsageError, require, require_known
from harness.store.results import Result

STACK_BYTES = 3 << 20  # of memory that a stack's inner loop may touch: about a CPU cache
INSTALL = {
    "processes": "loky",
    "ray": "'numpy-harness[ray]'",
    "submitit": "'numpy-harness[slurm]'",
}


class Engine(NamedTuple):
    """Settings of the launcher: the engine, its workers, their place, the size of a stack."""

    engine: str = "serial"
    workers: int | None = None  # null: as many as there are cores; serial is always one
    address: str | None = None  # of a cluster
    stack_bytes: int = STACK_BYTES

    def check(self, timeout: Any = None) -> None:
        """Raise UsageError if the engine does not exist, is not installed, or is set wrongly."""
        require_known("hydra.launcher.engine", self.engine, ["serial", *INSTALL])
        size, workers = self.stack_bytes, self.workers
        require(size >= 1, f"hydra.launcher.stack_bytes={size}: at least 1")
        require(workers is None or workers >= 1, f"hydra.launcher.workers={workers}: at least 1")
        here = self.engine in ("serial", "processes") and self.address
        require(not here, f"hydra.launcher.engine={self.engine} is on this machine: no address")
        mute = self.engine == "submitit" and timeout is not None
        require(
            not mute, "run.timeout: submitit's jobs give no sign of life; limit SLURM's instead"
        )
        if self.engine != "serial":
            self._pool_class(self.engine)

    def _pool_class(self, name: str) -> Any:
        try:
            module = name if name == "processes" else f"{name}_engine"
            return import_module(f"harness.engines.{module}").WorkerPool
        except ImportError as error:
            text = f"hydra.launcher.engine={name}: pip install {INSTALL[name]} first"
            raise UsageError(text) from error

    @property
    def width(self) -> int:
        """Number of stacks that are trained at once."""
        if self.engine == "serial":
            return 1
        from loky import cpu_count

        return self.workers or int(cpu_count())

    def train(self, works: Iterable[Work], folder: str) -> Generator[list[Result], None, None]:
        """Yield results and snapshots of stacks; the next stack is taken when a worker is free.

        `folder` is the sweep's, for engines that exchange files.
        """
        if self.engine == "serial":
            yield from self._one_by_one(works, folder)
            return
        with closing(self._pool_class(self.engine)(self, folder)) as pool:
            yield from schedule(works, pool)

    def _one_by_one(self, works: Iterable[Work], folder: str) -> Iterator[list[Result]]:
        """Train in this process; a stack with a timeout in a worker, which can be killed."""
        with ExitStack() as closing_pool:
            pool: Any = None
            for work in works:
                if work.timeout is None:
                    yield from train_work(work)
                    continue
                if pool is None:
                    pool = self._pool_class("processes")(self, folder)
                    closing_pool.enter_context(closing(pool))
                yield from schedule([work], pool)
