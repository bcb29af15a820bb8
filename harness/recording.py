"""A config as it is recorded: plain values, and dotted parameters; secrets stay unread."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.errors import UsageError

Config = dict[str, Any]

NOT_RECORDED = ("tracking", "figures", "run", "hydra")


def recorded(cfg: DictConfig) -> Config:
    """A composed config as plain values, without `hydra`; `${oc.env:…}` stays as it is written."""
    with _environment_unread():
        return {str(key): _plain(cfg, key) for key in cfg if key != "hydra"}


@contextmanager
def _environment_unread() -> Iterator[None]:
    """Meanwhile `${oc.env:X}` resolves to its own text, so that no secret enters a record."""
    from omegaconf.resolvers import oc

    def written(*arguments: str | None) -> str:
        return "${oc.env:" + ",".join("null" if a is None else a for a in arguments) + "}"

    OmegaConf.register_new_resolver("oc.env", written, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def _plain(parent: DictConfig | ListConfig, key: Any) -> Any:
    node = parent._get_node(key)
    if OmegaConf.is_missing(parent, key):
        path = parent._get_full_key(key)
        raise UsageError(f"{path} must be given")
    try:
        value = parent[key]
    except OmegaConfBaseException as error:
        raw = node._value() if node is not None else None  # type: ignore[union-attr]
        if isinstance(raw, str) and "oc.env:" in raw:
            return raw  # a typed field that only the environment's value would fit
        raise UsageError(str(error).splitlines()[0]) from error
    if isinstance(value, DictConfig):
        return {str(inner): _plain(value, inner) for inner in value}
    if isinstance(value, ListConfig):
        return [_plain(value, i) for i in range(len(value))]
    return value.name if hasattr(value, "name") and hasattr(value, "value") else value


def flat(config: Config, prefix: str = "") -> dict[str, Any]:
    """A config dotted and flat; a plugin's own name stands at its kind: `activation`."""
    out: dict[str, Any] = {}
    for key, value in config.items():
        if not prefix and key in NOT_RECORDED:
            continue
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            if not prefix and "name" in value:
                out[path] = value["name"]
                value = {k: v for k, v in value.items() if k != "name"}
            out |= flat(value, f"{path}.")
        else:
            out[path] = value
    return out


def params(config: Config) -> dict[str, str]:
    """What MLflow is told of a config: plugins' and plain keys, as text."""
    return {key: as_text(value) for key, value in flat(config).items()}


def as_text(value: Any) -> str:
    """A value as YAML would show it: true, null, [32, 32]."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {as_text(v)}' for k, v in value.items())}}}"
    return str(value.item() if isinstance(value, np.generic) else value)
