"""Hydra's grid sweeper, which builds every run before it starts the first."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class GridSweeperConf:
    _target_: str = "hydra_plugins.harness.sweeper.GridSweeper"
    params: dict[str, Any] | None = None
    zip: list[Any] = field(default_factory=list)
    exclude: list[Any] = field(default_factory=list)
    plan: bool = False


ConfigStore.instance().store(
    group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="harness"
)


class GridSweeper(Sweeper):
    """`hydra/sweeper=grid`; the work is done in harness.jobs."""

    def __init__(self, params: Any, zip: Any, exclude: Any, plan: bool) -> None:
        self.params = params or {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from hydra.core.plugins import Plugins

        from harness.jobs import Jobs

        self.jobs: Any = Jobs(hydra_context, task_function, config)
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from harness.jobs import grid

        swept = [f"{key}={value}" for key, value in self.params.items()]
        combinations = grid(self.jobs.context, [*swept, *arguments])
        self.jobs.begin(combinations, 0)
        return [self.launcher.launch(combinations, initial_job_idx=0)]
