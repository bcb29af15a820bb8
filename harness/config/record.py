"""Turn a composed config into what is recorded: plain values, environment variables unread."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import RLock, get_ident
from typing import Any, cast

from omegaconf import Container, DictConfig, OmegaConf, StringNode
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import (
    MissingMandatoryValue,
    OmegaConfBaseException,
    UnsupportedInterpolationType,
)
from omegaconf.resolvers import oc

from harness.errors import TEXTS, UsageError, note_text
from harness.store.params import NOT_RECORDED, Config, flatten, format_value

RESOLVERS = (
    "hydra", "now", "python_version", "oc.create", "oc.decode", "oc.deprecated", "oc.dict.keys",
    "oc.dict.values", "oc.env", "oc.select",
)  # fmt: skip
WORDS = {"true": True, "false": False, "null": None}
LOCK = RLock()  # of what OmegaConf and Hydra have once in a process: resolvers and singletons
_VARIABLE = re.compile(r"\$\{oc\.env:\s*([^,{}\s]+)")
_BARE = re.compile(r"(?!(null|true|false|nan|inf)$)[a-z][\w./:-]*", re.IGNORECASE)


def record_config(cfg: DictConfig) -> Config:
    """Return a composed config as plain values, without `hydra`.

    What comes from the environment into a setting of a run's fingerprint is recorded as its value
    if it is a number, a boolean or null. All other `${oc.env:…}` stay as written, for a text may
    be a secret. Raises UsageError if a value is missing or cannot be resolved.
    """
    return _recorded(cfg)[1]


def pinned_variables(cfg: DictConfig) -> dict[str, str | None]:
    """Return the environment variables whose values are recorded with a composed config.

    Their numbers are in settings, or they chose an option of a group; None: one is not set.
    """
    written, recorded = map(flatten, _recorded(cfg))
    fixed = [text for key, text in written.items() if repr(text) != repr(recorded[key])]
    names = {*_VARIABLE.findall(repr(fixed))}
    choices = {*OmegaConf.to_container(cfg.hydra.runtime.choices).values()}  # type: ignore[union-attr]
    names |= {name for text, name in TEXTS.items() if text in choices}
    return {name: os.environ.get(name) for name in sorted(names)}


def _recorded(cfg: DictConfig) -> tuple[Config, Config]:
    """Return a config with all of `${oc.env:…}` as written, and as it is recorded."""
    kept = select_keys(cfg, (key for key in cfg if key != "hydra"))
    with _usage_errors():
        plain = cast(Config, OmegaConf.to_container(kept, enum_to_str=True, throw_on_missing=True))
    if "${" not in repr(plain):
        return plain, plain
    # Without types, since a field for a number may now hold `${oc.env:X}`, which is text.
    untyped = DictConfig(plain)
    if "hydra" in cfg:  # interpolations may refer to it
        config_nodes(untyped)["hydra"] = cfg._get_node("hydra")
    with _environment_unread():
        written = {str(key): _value(untyped, key) for key in kept}
    fixed = {}
    for key, value in written.items():
        outside = key not in NOT_RECORDED and ("${oc." in repr(value) or "${now:" in repr(plain))
        if outside:
            value = _fixed(plain[key], value, _value(untyped, key), cfg._get_node(key))
        fixed[key] = value
    return written, fixed


def _fixed(plain: Any, written: Any, value: Any, node: Any) -> Any:
    """Return `value` where it is no text but comes from outside, and `written` elsewhere."""
    inner = node if isinstance(node, Container) and not node._is_interpolation() else None
    if isinstance(written, dict) and isinstance(value, dict):
        before = plain if isinstance(plain, dict) else {}
        return {
            k: _fixed(before.get(k), w, value[k], inner and inner._get_node(k))
            for k, w in written.items()
        }
    if isinstance(written, list) and isinstance(value, list):
        texts = plain if isinstance(plain, list) else [None] * len(written)
        nodes = [inner and inner._get_node(i) for i in range(len(written))]
        return [_fixed(*each) for each in zip(texts, written, value, nodes, strict=True)]
    outside = "${oc." in str(written) or "${now:" in str(plain)
    if not outside or isinstance(node, StringNode):
        return written
    return written if _has_text(read := _read(value)) else read


def _read(value: Any) -> Any:
    """Return a text as the number, boolean or null that it is, or else as it is."""
    if isinstance(value, list):
        return [_read(each) for each in value]
    if not isinstance(value, str):
        return value
    if value.strip().lower() in WORDS:
        return WORDS[value.strip().lower()]
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _has_text(value: Any) -> bool:
    if isinstance(value, list | dict):
        return any(map(_has_text, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str)


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
    if "${oc." not in (text := repr(config)):
        return config
    for name in _VARIABLE.findall(text):
        _note(name, os.environ.get(name))
    cfg = OmegaConf.create(config)
    return {str(key): _value(cfg, key) for key in cfg}


def keys_from_outside(config: Config) -> list[str]:
    """Return the dotted keys of a recorded config that hold an interpolation."""
    return [key for key, value in flatten(config).items() if "${oc." in repr(value)]


def _note(name: str, value: str | None) -> None:
    if isinstance(_read(value), str):
        note_text(name, str(value))


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


def noting_resolver(pinned: Mapping[str, str | None]) -> Any:
    """Return a resolver of `${oc.env:X}` that notes texts, to keep them out of messages.

    The variables in `pinned` have the values that they have there; None: not set.
    """

    def env(name: str, *default: object) -> str | None:
        if name in pinned:
            value = pinned[name]
            return oc.env("", *default) if value is None else value
        _note(name, os.environ.get(name))
        return oc.env(name, *default)

    with _resolvers({"oc.env": env}):
        return BaseContainer._resolvers["oc.env"]


@contextmanager
def _environment_unread() -> Iterator[None]:
    """Context manager: resolve `${oc.env:X}` to its own text, so that no secret is recorded."""

    def env(name: str, *default: object) -> str:
        return f"${{oc.env:{','.join([name, *map(_written, default)])}}}"

    def decode(text: str | None, _parent_: Any, _node_: Any) -> Any:
        unread = "${oc.env:" in str(text)
        return f"${{oc.decode:{text}}}" if unread else oc.decode(text, _parent_, _node_)

    with _resolvers({"oc.env": env, "oc.decode": decode}):
        yield


@contextmanager
def _resolvers(functions: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Context manager: use other resolvers of these names in this thread, none in the others."""
    known, owner = BaseContainer._resolvers, get_ident()
    with LOCK:
        before = {name: known[name] for name in functions}
        for name, function in functions.items():
            OmegaConf.register_new_resolver(name, function, replace=True)
            known[name] = _for_thread(owner, known[name], before[name])
        try:
            yield
        finally:
            known.update(before)


def _for_thread(owner: int, own: Any, others: Any) -> Any:
    def chosen(*arguments: Any, **options: Any) -> Any:
        return (own if get_ident() == owner else others)(*arguments, **options)

    return chosen


def _written(default: object) -> str:
    """Return a default value as it is written inside `${oc.env:X,default}`."""
    if not isinstance(default, str):
        return format_value(default)
    escaped = default.replace("'", "\\'")
    return default if _BARE.fullmatch(default) else f"'{escaped}'"
