"""A plugin-driven experiment tracking harness for neural nets written from scratch in NumPy."""

import sys
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import load, run, sweep
    from harness.contracts import RunResult, SweepResult

__all__ = ["RunResult", "SweepResult", "load", "run", "sweep"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import harness` is quick."""
    if name not in __all__:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    home = "contracts" if name.endswith("Result") else "api"
    return getattr(import_module(f"harness.{home}"), name)


class _ModelsOfVersion01(Loader):
    """A finder for the three modules that models saved by 0.1.0 import: it gives `serving`."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        known = name in ("harness.net", "harness.npz", "harness.one_file")
        return ModuleSpec(name, self) if known else None

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = import_module("harness.serving")


sys.meta_path.append(_ModelsOfVersion01())
