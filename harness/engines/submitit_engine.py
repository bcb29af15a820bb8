"""Workers of a SLURM cluster, a job for each stack; without SLURM, processes on this machine."""

import time
from collections.abc import Hashable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from submitit import AutoExecutor

from harness.engines.scheduler import WorkerMessage, explain_lost_worker
from harness.engines.worker import Work, train_work
from harness.store.results import Result

if TYPE_CHECKING:
    from harness.engines import Engine

MINUTES = 24 * 60  # that a job may take, unless SBATCH_TIMELIMIT says otherwise
POLL_SECONDS = 0.2


class WorkerPool:
    """SLURM jobs that exchange files in the sweep's folder, which all machines must share.

    `address` is the cluster: slurm, local, or null for the first of the two that is available.
    """

    def __init__(self, engine: "Engine", folder: str) -> None:
        self.width = engine.width
        place = str(Path(folder, "submitit"))
        self._executor: Any = AutoExecutor(place, cluster=engine.address)
        self._executor.update_parameters(name="harness", timeout_min=MINUTES, cpus_per_task=1)
        self._jobs: dict[str, Any] = {}

    def submit(self, work: Work) -> Hashable:
        job = self._executor.submit(_results, work)
        self._jobs[job.job_id] = job
        return str(job.job_id)

    def wait(self, keys: Sequence[Hashable], seconds: float | None) -> WorkerMessage | None:
        while True:
            for key in keys:
                job = self._jobs[str(key)]
                if not job.done():
                    continue
                del self._jobs[str(key)]
                try:
                    return WorkerMessage(key, job.result(), done=True)
                except Exception as error:  # submitit's, if the job failed or was lost
                    return WorkerMessage(key, [], lost=explain_lost_worker(error))
            time.sleep(POLL_SECONDS)

    def kill(self, key: Hashable) -> None:
        """Do nothing: Engine.check refuses a timeout, so that no job is killed for silence."""

    def close(self) -> None:
        for job in self._jobs.values():
            with suppress(Exception):  # the job may have ended
                job.cancel()


def _results(work: Work) -> list[Result]:
    """Return the results of a stack; a job returns once, so there are no snapshots."""
    return [r for results in train_work(work) for r in results if r.outcome != "running"]
