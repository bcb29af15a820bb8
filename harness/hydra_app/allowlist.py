"""Refuse a config that could make Hydra or `logging` run code of its choice."""

from pkgutil import resolve_name
from typing import Any

from omegaconf import Container, OmegaConf

from harness.errors import require

LOGGING = (
    "logging.StreamHandler", "logging.FileHandler", "logging.NullHandler", "logging.Formatter",
    "logging.handlers.RotatingFileHandler", "logging.handlers.TimedRotatingFileHandler",
    "colorlog.ColoredFormatter", "rich.logging.RichHandler",
)  # fmt: skip
STREAMS = ("ext://sys.stdout", "ext://sys.stderr")


def check_hydra_config(hydra: Any) -> None:
    """Raise UsageError if the `hydra` node names code that Hydra or `logging` would call."""
    for part in ("hydra_logging", "job_logging"):
        _check_logging(_plain(hydra.get(part), False), f"hydra.{part}")
    for part in ("launcher", "sweeper"):
        node = _plain(hydra.get(part), False)
        target = str(node.get("_target_", "")) if isinstance(node, dict) else ""
        good = target.startswith(("hydra_plugins.", "hydra._internal.core_plugins."))
        require(good or not target, f"hydra.{part}._target_={target}: choose one by its name")
    for name, callback in (_plain(hydra.get("callbacks"), True) or {}).items():
        _check_callback(callback, f"hydra.callbacks.{name}")


def _plain(node: Any, resolve: bool) -> Any:
    return OmegaConf.to_container(node, resolve=resolve) if isinstance(node, Container) else node


def _check_logging(node: Any, where: str) -> None:
    """Raise UsageError if `logging.config` would import or call an unknown class."""
    if isinstance(node, str):
        plain = not node.startswith(("ext:", "${")) or node.startswith(("${hydra.", "${hydra:"))
        require(plain or node in STREAMS, _one_of(where, node, STREAMS))
    pairs = (
        node.items() if isinstance(node, dict) else enumerate(node if type(node) is list else ())
    )
    for key, value in pairs:
        if key in ("()", "class"):
            require(value in LOGGING, _one_of(f"{where}.{key}", value, LOGGING))
        _check_logging(value, f"{where}.{key}")


def _check_callback(node: Any, where: str) -> None:
    """Raise UsageError unless `_target_` is a Callback, and nothing inside it has a target."""
    from hydra.experimental.callback import Callback

    if not isinstance(node, dict):
        return
    inner = {key: value for key, value in node.items() if key != "_target_"}
    require("_target_" not in repr(inner), f"{where}: _target_ is not allowed inside a callback")
    target = node.get("_target_", "")
    try:
        good = issubclass(resolve_name(str(target)), Callback)
    except Exception:
        good = False
    require(good, f"{where}._target_={target}: a subclass of hydra.experimental.callback.Callback")


def _one_of(where: str, value: Any, allowed: tuple[str, ...]) -> str:
    return f"{where}={value}: one of {', '.join(allowed)}"
