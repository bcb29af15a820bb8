"""Workers of a Ray cluster, or of one that Ray starts on this machine for the sweep."""

import os
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import ray

from harness.engines.scheduler import WorkerMessage, explain_lost_worker
from harness.engines.worker import Work, train_work

if TYPE_CHECKING:
    from harness.engines import Engine


class WorkerPool:
    """Ray workers: each stack is one task that takes one CPU and streams its results."""

    def __init__(self, engine: "Engine", folder: str) -> None:
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns
        start: Any = ray.init
        address = engine.address or os.environ.get("RAY_ADDRESS")
        local = {} if address else {"num_cpus": engine.width, "include_dashboard": False}
        start(address, log_to_driver=False, logging_level="error", **local)
        resources: Any = ray.cluster_resources
        self.width = engine.workers or int(resources().get("CPU", 1))
        self._train: Any = ray.remote(num_cpus=1, max_retries=0)(train_work)

    def submit(self, work: Work) -> Hashable:
        stream: Hashable = self._train.remote(work)
        return stream

    def wait(self, keys: Sequence[Hashable], seconds: float | None) -> WorkerMessage | None:
        wait: Any = ray.wait
        ready, _ = wait(list(keys), num_returns=1, timeout=seconds)
        if not ready:
            return None
        [stream] = ready
        try:
            return WorkerMessage(stream, ray.get(next(stream)))
        except StopIteration:
            return WorkerMessage(stream, [], done=True)
        except ray.exceptions.RayError as error:
            return WorkerMessage(stream, [], lost=explain_lost_worker(error))

    def kill(self, key: Hashable) -> None:
        cancel: Any = ray.cancel
        cancel(key, force=True)

    def close(self) -> None:
        ray.shutdown()
