"""Turn a composed config into what is recorded: plain values, environment variables unread."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import (
    MissingMandatoryValue,
    OmegaConfBaseException,
    UnsupportedInterpolationType,
)
from omegaconf.resolvers import oc

from harness.errors import UsageError
from harness.store.params import Config, format_value

RESOLVERS = (
    "hydra", "now", "python_version", "oc.create", "oc.decode", "oc.deprecated", "oc.dict.keys",
    "oc.dict.values", "oc.env", "oc.select",
)  # fmt: skip
_BARE = re.compile(r"(?!(null|true|false|nan|inf)$)[a-z][\w./:-]*", re.IGNORECASE)


def record_config(cfg: DictConfig) -> Config:
    """Return a composed config as plain values, without `hydra`; `${oc.env:…}` stays as written.

    Raises UsageError if a value is missing or cannot be resolved.
    """
    kept = select_keys(cfg, (key for key in cfg if key != "hydra"))
    with _usage_errors():
        plain = OmegaConf.to_container(kept, enum_to_str=True, throw_on_missing=True)
    if "${" not in repr(plain):
        return cast(Config, plain)
    # Without types, since a field for a number may now hold `${oc.env:X}`, which is text.
    untyped = DictConfig(plain)
    if "hydra" in cfg:  # interpolations may refer to it
        config_nodes(untyped)["hydra"] = cfg._get_node("hydra")
    with _environment_unread():
        return {str(key): _value(untyped, key) for key in kept}


def select_unresolved(cfg: DictConfig, key: str) -> Any:
    """Return one value by its dotted key; `${oc.env:…}` in it stays as written."""
    with _environment_unread():
        return OmegaConf.select(cfg, key)


def select_keys(cfg: DictConfig, keys: Iterable[Any]) -> DictConfig:
    """Return a config of some keys of another, which shares its nodes."""
    view = DictConfig({})
    config_nodes(view).update({key: cfg._get_node(key) for key in keys})
    return view


def config_nodes(cfg: DictConfig) -> dict[Any, Any]:
    """Return the nodes of a config themselves, which can be shared or changed in place."""
    return cast(dict[Any, Any], cfg._content)


def intern_parts(config: Config, parts: dict[str, Any]) -> Config:
    """Intern equal sub-dicts in `parts`, so that the runs of a large sweep share memory."""
    return {
        key: parts.setdefault(f"{key}={value!r}", value) if isinstance(value, dict) else value
        for key, value in config.items()
    }


def resolve_environment(config: Config) -> Config:
    """Return a recorded config with the values of its `${oc.env:…}` variables."""
    if "${oc." not in repr(config):
        return config
    cfg = OmegaConf.create(config)
    return {str(key): _value(cfg, key) for key in cfg}


def _value(cfg: DictConfig, key: Any) -> Any:
    with _usage_errors():
        value = cfg[key]
        plain = not isinstance(value, Container)
        return value if plain else OmegaConf.to_container(value, resolve=True)


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Context manager: raise UsageError, which names the key, for an error of OmegaConf."""
    try:
        yield
    except MissingMandatoryValue as error:
        raise UsageError(f"{error.full_key} must be given") from error
    except OmegaConfBaseException as error:
        reason = str(error).partition("\n")[0]
        if isinstance(error, UnsupportedInterpolationType):
            reason += f"; allowed: {', '.join(RESOLVERS)}"
        raise UsageError(f"{error.full_key}: {reason}") from error


@contextmanager
def _environment_unread() -> Iterator[None]:
    """Context manager: resolve `${oc.env:X}` to its own text, so that no secret is recorded."""

    def env(name: str, *default: object) -> str:
        return f"${{oc.env:{','.join([name, *map(_written, default)])}}}"

    def decode(text: str | None, _parent_: Any, _node_: Any) -> Any:
        unread = "${oc.env:" in str(text)
        return f"${{oc.decode:{text}}}" if unread else oc.decode(text, _parent_, _node_)

    try:
        OmegaConf.register_new_resolver("oc.env", env, replace=True)
        OmegaConf.register_new_resolver("oc.decode", decode, replace=True)
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
        OmegaConf.register_new_resolver("oc.decode", oc.decode, replace=True)


def _written(default: object) -> str:
    """Return a default value as it is written inside `${oc.env:X,default}`."""
    if not isinstance(default, str):
        return format_value(default)
    escaped = default.replace("'", "\\'")
    return default if _BARE.fullmatch(default) else f"'{escaped}'"
