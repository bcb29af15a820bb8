"""A plugin-driven experiment tracking harness for neural nets written from scratch in NumPy."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import load, run, sweep
    from harness.contracts import RunResult, SweepResult

__all__ = ["RunResult", "SweepResult", "load", "run", "sweep"]


def __getattr__(name: str) -> Any:
    """Public names are imported when first used: `import harness` is quick."""
    if name not in __all__:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    home = "contracts" if name.endswith("Result") else "api"
    return getattr(import_module(f"harness.{home}"), name)
