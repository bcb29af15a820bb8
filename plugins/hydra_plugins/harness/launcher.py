"""Hydra's launcher of stacks: jobs that share a signature are trained together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StackLauncherConf:
    """The settings of `hydra/launcher=stack`."""

    _target_: str = "hydra_plugins.harness.launcher.StackLauncher"
    engine: str = "serial"
    workers: int | None = None
    address: str | None = None
    stack_bytes: int = 3145728


ConfigStore.instance().store(
    group="hydra/launcher", name="stack", node=StackLauncherConf, provider="harness"
)


class StackLauncher(Launcher):
    """`hydra/launcher=stack`; the work is done in harness.hydra_app.jobs."""

    def __init__(self, **settings: Any) -> None:
        """Ignore the settings: harness.hydra_app.jobs reads them from the config."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from harness.hydra_app.jobs import Jobs

        self.jobs: Any = Jobs(hydra_context, task_function, config)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        return self.jobs.launch(job_overrides, initial_job_idx)
