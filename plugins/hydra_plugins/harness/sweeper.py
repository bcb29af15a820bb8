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
    """`hydra/sweeper=grid`; the work is done in harness.launching."""

    def __init__(self, params: Any, zip: Any, exclude: Any, plan: bool) -> None:
        self.options = {"params": params or {}, "zip": zip, "exclude": exclude, "plan": plan}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from harness.launching import Grid

        self.grid: Any = Grid(hydra_context, task_function, config, self.options)

    def sweep(self, arguments: list[str]) -> Any:
        return self.grid.sweep(arguments)
