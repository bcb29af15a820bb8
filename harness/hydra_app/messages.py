"""Explain the errors of Hydra and OmegaConf in plain words."""

import re
import shlex
from contextlib import suppress

from hydra.core.override_parser.overrides_parser import OverridesParser
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
from harness.config.schema import GROUPS, dotted_names, unknown_field
from harness.errors import unknown_name

IN_FILE = re.compile(r"In '(.*)': \w+ raised while composing config:")


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
    if (found := IN_FILE.match(text)) and isinstance(error.__context__, OmegaConfBaseException):
        return f"{found[1]}.yaml: {_explain_value_error(error.__context__)}"
    if found := re.match(r"Multiple values for (\S+)\. .*'override \S+ (.*)'$", text):
        key, value = found.groups()
        preset = f"`override /{key}: {value}` in a preset"
        return f"{key} has a choice already: write {key}={value} without +, or {preset}"
    return text


def _explain_override_error(override: str, message: str) -> str:
    """Explain an override that could not be parsed, with a spelling that can."""
    key, equals, value = override.partition("=")
    if not equals:
        return f"{override!r} is neither a command nor key=value"
    found = re.search(r" while evaluating '.*': (.*)", message)
    if found and not found[1].startswith("Unknown function"):
        return f"{override}: {found[1]}"
    if not key.strip("+~ "):
        return f"{override}: a key is expected before the ="
    if not _parses(f"{key}="):
        right = f"{key.strip()}={value.strip()}"
        hint = f": no space may stand before the =, as in {right}" if _parses(right) else ""
        return f"{override}: {key!r} cannot be a key{hint}"
    if re.search(r"(^|,)\s*(,|$)", value):
        text = "a value is missing beside a comma; several are written without spaces"
        return f"{override}: {text}, as in {key}=1,2"
    if value[0] == "(":
        return f'{override}: a list is written [1,2], and a text in "quotes"'
    if value[0] in "[{":
        example = "[1,2]" if value[0] == "[" else "{a:1}"
        return f'{override}: close the brackets, as in {example}, and "quote" odd texts in them'
    whole = for_shell(f"{key}={quoted(value)}")
    each = for_shell(f"{key}={','.join(map(quoted, value.split(',')))}")
    also = f" (one value) or {each} (several)" if "," in value else ""
    return f"{override}: quote a value that is not a plain word: {whole}{also}"


def _parses(override: str) -> bool:
    with suppress(HydraException):
        return bool(OverridesParser.create().parse_override(override))
    return False


def quoted(value: str) -> str:
    """Return a text as Hydra's grammar reads it back unchanged; backslashes are literal there."""
    escaped = re.sub(r'(\\*)("|$)', lambda m: m[1] * 2 + (m[2] and '\\"'), value)
    return f'"{escaped}"'


def for_shell(override: str) -> str:
    """Return an override as a shell takes it for one argument, in the plainer kind of quotes."""
    if "'" in override and not re.search(r"[\\$`!]", override):
        return '"{}"'.format(override.replace('"', '\\"'))
    return shlex.quote(override)


def _explain_value_error(error: OmegaConfBaseException) -> str:
    """Explain a key that does not exist, or a value that is not allowed."""
    parent, key = error.parent_node, str(error.full_key or "")
    group, _, name = key.rpartition(".")
    if isinstance(error, ConfigAttributeError | ConfigKeyError) and isinstance(parent, DictConfig):
        if not parent:
            return f"{key} is not there yet: +{key}=… adds it"
        known = [
            str(k) for k in parent if k not in ("hydra", "name") and not str(k).startswith("_")
        ]
        if group in GROUPS:
            return unknown_field(group, name, known)
        return unknown_name(group or "config", name, known, () if group else dotted_names())
    if isinstance(error, ReadonlyConfigError) and name == "name":
        return f"{key} is fixed: choose another plugin with {group}=…"
    first = str(error.msg or error).partition("\n")[0]
    if isinstance(error, UnsupportedInterpolationType):
        first += f"; allowed: {', '.join(RESOLVERS)}"
    if first.endswith("is not Optional"):
        first = "null is not allowed"
    if first.endswith(" is not a ListConfig, list or tuple.") and error.value is not None:
        return f"{key}={error.value}: a list is expected. Did you mean {key}=[{error.value}]?"
    return f"{key}: {first}" if key else first
