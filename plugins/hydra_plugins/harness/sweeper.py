"""Harness's sweepers for Hydra: a grid, whose runs are all built first, and a search."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class GridSweeperConf:
    """The settings of `hydra/sweeper=grid`."""

    _target_: str = "hydra_plugins.harness.sweeper.GridSweeper"
    params: dict[str, Any] | None = None
    zip: list[Any] = field(default_factory=list)
    exclude: list[Any] = field(default_factory=list)
    plan: bool = False


@dataclass
class OptunaSweeperConf:
    """The settings of `hydra/sweeper=optuna`."""

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


class HarnessSweeper(Sweeper):
    """Base of both sweepers; the work is done in harness.hydra_app.sweepers."""

    def __init__(self, **settings: Any) -> None:
        """Ignore the settings: harness.hydra_app.jobs reads them from the config."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from harness.hydra_app.jobs import Jobs

        self.jobs: Any = Jobs(hydra_context, task_function, config)


class GridSweeper(HarnessSweeper):
    """`hydra/sweeper=grid`: its combinations go to the chosen launcher."""

    def sweep(self, arguments: list[str]) -> Any:
        from hydra.core.plugins import Plugins

        from harness.hydra_app.sweepers import run_grid

        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self.jobs.context,
            task_function=self.jobs.task,
            config=self.jobs.config,
        )
        combinations = run_grid(self.jobs, arguments)
        return [launcher.launch(combinations, initial_job_idx=0)]


class OptunaSweeper(HarnessSweeper):
    """`hydra/sweeper=optuna`: a search, which gives its stacks to the engine itself."""

    def sweep(self, arguments: list[str]) -> Any:
        from harness.hydra_app.sweepers import run_search

        return [run_search(self.jobs, arguments)]
