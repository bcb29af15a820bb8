"""Turn a config into dotted parameters and text."""

from typing import Any

import numpy as np

Config = dict[str, Any]


NOT_RECORDED = ("tracking", "figures", "run", "hydra")


def flatten(config: Config, prefix: str = "") -> dict[str, Any]:
    """Return a config with dotted keys; a plugin's name is the value at its kind."""
    out: dict[str, Any] = {}
    for key, value in config.items():
        if not prefix and key in NOT_RECORDED:
            continue
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            if not prefix and "name" in value:
                out[path] = value["name"]
                value = {k: v for k, v in value.items() if k != "name"}
            out |= flatten(value, f"{path}.")
        else:
            out[path] = value
    return out


def recorded_params(config: Config) -> dict[str, str]:
    """Return the params that MLflow gets of a config: plugins' and plain keys, as text."""
    return {key: format_value(value) for key, value in flatten(config).items()}


def format_value(value: Any) -> str:
    """Return a value as YAML shows it: true, null, [32, 32]."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}: {format_value(v)}' for k, v in value.items())}}}"
    return str(value.item() if isinstance(value, np.generic) else value)
