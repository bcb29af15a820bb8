"""Explain the errors of Hydra and OmegaConf in plain words."""

import re

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    OmegaConfBaseException,
    ReadonlyConfigError,
    UnsupportedInterpolationType,
)

from harness.config.record import RESOLVERS
from harness.errors import unknown_name

NOISE = ("Error parsing override", "LexerNoViableAlt", "See https://", "^")


def explain_hydra_error(error: HydraException | OmegaConfBaseException) -> str:
    """Return a message that says what is wrong, and which names are near."""
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if isinstance(cause, OmegaConfBaseException):
        return _explain_value_error(cause)
    if isinstance(error, OverrideParseException):
        return _explain_override_error(error.override, error.message)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        if not group:
            return f"--config-name {name}: there is no {name}.yaml where configs are looked for"
        return unknown_name(group, name, sorted(error.options or []))
    text = re.split(r"\n *full_key:", str(error))[0]
    if text.startswith("Ambiguous value"):
        key, _, values = text.partition("'")[2].partition("'\n")[0].partition("=")
        return f"{key}={values}: to sweep over these add -m; a list is written {key}=[{values}]"
    return text


def _explain_override_error(override: str, message: str) -> str:
    """Explain an override that could not be parsed."""
    if "=" not in override:
        return f"{override!r} is neither a command nor key=value"
    lines = [line.strip() for line in message.splitlines()]
    useful = [line for line in lines if line and not line.startswith(NOISE)]
    quote = "quote a value that is not a plain word, as in 'key=\"one, two\"'"
    return f"{override}: {useful[0] if useful else quote}"


def _explain_value_error(error: OmegaConfBaseException) -> str:
    """Explain a key that does not exist, or a value that is not allowed."""
    parent, key = error.parent_node, str(error.full_key or "")
    group, _, name = key.rpartition(".")
    if isinstance(error, ConfigAttributeError | ConfigKeyError) and isinstance(parent, DictConfig):
        if not parent:
            return f"{key} is not there yet: +{key}=… adds it"
        known = [str(k) for k in parent if str(k) not in ("hydra", "name")]
        return unknown_name(group or "config", name, known)
    if isinstance(error, ReadonlyConfigError) and name == "name":
        return f"{key} is fixed: choose another plugin with {group}=…"
    first = str(error.msg or error).partition("\n")[0]
    if isinstance(error, UnsupportedInterpolationType):
        first += f"; allowed: {', '.join(RESOLVERS)}"
    if first.endswith("is not Optional"):
        first = "null is not allowed"
    return f"{key}: {first}" if key else first
