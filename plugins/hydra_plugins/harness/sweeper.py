"""Hydra's sweepers of ours: a grid, every run built before the first starts, and a search."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class GridSweeperConf:
    _target_: str = "hydra_plugins.harness.sweeper.GridSweeper"
    params: dict[str, Any] | None = None
    zip: list[Any] = field(default_factory=list)
    exclude: list[Any] = field(default_factory=list)
    plan: bool = False


@dataclass
class OptunaSweeperConf:
    _target_: str = "hydra_plugins.harness.sweeper.OptunaSweeper"
    params: dict[str, Any] | None = None
    n_trials: int = 100
    n_jobs: int = 16
    sampler: Any = "tpe"
    pruner: Any = None
    storage: str | None = None
    study_name: str | None = None


for name, node in (("grid", GridSweeperConf), ("optuna", OptunaSweeperConf)):
    ConfigStore.instance().store(group="hydra/sweeper", name=name, node=node, provider="harness")


class GridSweeper(Sweeper):
    """`hydra/sweeper=grid`; the work is done in harness.sweeping."""

    def __init__(self, **settings: Any) -> None:
        self.settings = plain(settings)

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
        from harness.sweeping import grid

        combinations = grid(self.jobs, self.settings, arguments)
        return [self.launcher.launch(combinations, initial_job_idx=0)]


class OptunaSweeper(Sweeper):
    """`hydra/sweeper=optuna`; the work is done in harness.sweeping."""

    def __init__(self, **settings: Any) -> None:
        self.settings = plain(settings)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from harness.jobs import Jobs

        self.jobs: Any = Jobs(hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Any:
        from harness.sweeping import optimise

        return [optimise(self.jobs, self.settings, arguments)]


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without OmegaConf's containers."""
    return {
        key: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        for key, value in settings.items()
    }
