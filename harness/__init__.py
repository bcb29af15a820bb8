"""A plugin-driven experiment tracking harness for neural nets written from scratch in NumPy."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import load, run, sweep
    from harness.contracts import RunResult, SweepResult

__all__ = ["RunResult", "SweepResult", "load", "run", "sweep"]


def __getattr__(name: str) -> Any:
    """Public names are imported when first used: `import harness` is quick."""
    if name in ("run", "sweep", "load"):
        from harness import api

        return getattr(api, name)
    if name in ("RunResult", "SweepResult"):
        from harness import contracts

        return getattr(contracts, name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
