"""Find plugins by metadata and file names, and import a plugin when it is chosen."""

import hashlib
import inspect
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from harness import contracts
from harness.config import plugin_files
from harness.contracts import KINDS, DataError
from harness.errors import HarnessError, PluginError, is_interruption, unknown_name

DISTRIBUTION = "numpy-harness"  # of the built-in plugins, and of the harness itself
# The name of the distribution in records of 0.1.0; on PyPI another project has it.
FORMER_DISTRIBUTION = "harness"
# The class attribute that a kind requires besides its methods.
CLASS_ATTRIBUTES = {"loss": "task", "metric": "greater_is_better", "figure": "scope"}


@dataclass(frozen=True, order=True)
class Origin:
    """The place that a plugin comes from: an entry point of a distribution, or a file."""

    kind: str
    name: str
    value: str  # module:Class, or the path of its one file
    distribution: str  # or the name of the folder that the file is in
    version: str

    def __str__(self) -> str:
        where = f"{self.distribution} {self.version}" if self.file is None else self.value
        return f"{self.kind} plugin {self.name!r} ({where})"

    @property
    def file(self) -> Path | None:
        """Return the file of a one-file plugin, or None for a plugin of a distribution."""
        return Path(self.value) if self.version == plugin_files.VERSION else None

    def load(self) -> Any:
        """Import the plugin and return its class."""
        return (
            plugin_files.load_plugin_file(self.file)
            if self.file
            else EntryPoint("", self.value, "").load()
        )


def plugin_table() -> Mapping[str, Mapping[str, tuple[Origin, ...]]]:
    """Return {kind: {name: origins}}, without importing any plugin.

    A name that two distributions provide can be chosen as `distribution/name`.
    """
    return _table(os.environ.get(plugin_files.VARIABLE, ""))


@cache
def _table(folders: str) -> Mapping[str, Mapping[str, tuple[Origin, ...]]]:
    found: dict[str, dict[str, list[Origin]]] = {kind: {} for kind in KINDS}
    for where in sorted({*_installed(), *_files()}):  # one distribution can be on the path twice
        found[where.kind].setdefault(where.name, []).append(where)
    for names in found.values():
        for name, origins in [*names.items()]:
            for where in origins if len(origins) > 1 else ():
                full = f"{where.distribution}/{name}"
                names.setdefault(full, []).append(replace(where, name=full))
    return {
        kind: {name: tuple(origins) for name, origins in sorted(names.items())}
        for kind, names in found.items()
    }


def _installed() -> Iterator[Origin]:
    everything = entry_points()
    for kind in KINDS:
        for entry in everything.select(group=f"harness.{kind}"):
            of = (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "0")
            # An upgrade from 0.1.0 leaves the metadata of `harness` behind: with them each
            # built-in plugin would be given twice, by modules that have moved since.
            if of[0] != FORMER_DISTRIBUTION or entry.module.split(".")[0] != "harness_plugins":
                yield Origin(kind, entry.name, entry.value, *of)


def _files() -> Iterator[Origin]:
    for path in plugin_files.plugin_paths():
        kind, folder = path.parent, path.parent.parent
        yield Origin(kind.name, path.stem, str(path), folder.name, plugin_files.VERSION)


def plugin_names(kind: str) -> list[str]:
    """Return the names that `kind=` accepts."""
    return [*plugin_table()[kind]]


def find_plugin(kind: str, name: str) -> Origin:
    """Return the origin of the plugin `kind=name`; PluginError if there is not exactly one."""
    known, own = plugin_table()[kind], name.removeprefix(f"{FORMER_DISTRIBUTION}/")
    if name not in known and own != name:  # a built-in plugin, as records of 0.1.0 name it
        name = f"{DISTRIBUTION}/{own}"
    found = known.get(name, ())
    if not found:
        raise PluginError(unknown_name(kind, name, plugin_names(kind)))
    if len(found) > 1:
        full = {f"{kind}={where.distribution}/{name.rpartition('/')[2]}" for where in found}
        hint = f"choose {' or '.join(sorted(full))}" if len(full) > 1 else "rename one of the two"
        raise PluginError(f"{kind}={name} is given by several distributions: {hint}")
    return found[0]


@contextmanager
def blame_plugin(where: Origin, problem: str) -> Iterator[None]:
    """Context manager: turn what a plugin raises, even SystemExit, into a PluginError."""
    try:
        yield
    except (HarnessError, DataError):
        raise
    except BaseException as error:
        if is_interruption(error):
            raise
        text = f"{where} {problem}: {type(error).__name__}: {error}"
        raise PluginError(text.removesuffix(": ")) from error


def required_methods(kind: str, plugin: type) -> list[str]:
    """Return the methods that the contract asks of a plugin of this kind."""
    names = [kind.capitalize()]
    if kind == "loss" and getattr(plugin, "task", "regression") != "regression":
        names.append("ClassificationLoss")
    known = [item for name in names for item in vars(getattr(contracts, name)).items()]
    return [n for n, v in known if inspect.isfunction(v) and (n == "__call__" or n[0] != "_")]


def require_methods(kind: str, name: str) -> None:
    """Raise PluginError if a plugin lacks a method that the contract asks for."""
    plugin = load_plugin(kind, name)
    asked = required_methods(kind, plugin)
    for method in asked:
        if not any(method in vars(each) for each in plugin.__mro__):
            where, known = find_plugin(kind, name), ", ".join(asked)
            raise PluginError(f"{where} has no `{method}`: {kind} plugins have {known}")


@cache
def load_plugin(kind: str, name: str) -> type:
    """Return the class of the plugin `kind=name`; PluginError if it cannot be used."""
    where = find_plugin(kind, name)
    with blame_plugin(where, "cannot be imported"):
        plugin = where.load()
    if not (isinstance(plugin, type) and is_dataclass(plugin)):
        raise PluginError(f"{where} is not a dataclass: {where.value}")
    if not plugin.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise PluginError(f"{where} is not frozen: declare it with @dataclass(frozen=True)")
    if kind in CLASS_ATTRIBUTES and not hasattr(plugin, CLASS_ATTRIBUTES[kind]):
        raise PluginError(f"{where} has no `{CLASS_ATTRIBUTES[kind]}`: declare it as a ClassVar")
    return plugin


@cache
def plugin_provenance(kind: str, name: str) -> dict[str, str]:
    """Return the record of a plugin: kind, name, distribution, version and source hash."""
    where, plugin = find_plugin(kind, name), load_plugin(kind, name)
    source = plugin_files.source_bytes(where.file) if where.file else _source(plugin)
    return {
        "kind": kind,
        "name": name,
        "distribution": where.distribution,
        "version": where.version,
        "source": hashlib.sha256(source).hexdigest()[:12],
    }


def _source(plugin: type) -> bytes:
    """Return the source of the module that defines a plugin."""
    try:
        return Path(inspect.getfile(plugin)).read_bytes()
    except (OSError, TypeError):
        return plugin.__qualname__.encode()


def plugin_sources(plugins: Iterable[Mapping[str, str]]) -> dict[str, bytes]:
    """Return {`folder/kind/name.py`: content} of the recorded plugins that are one file each."""
    asked = [(p["kind"], p["name"]) for p in plugins if p["version"] == plugin_files.VERSION]
    found = [path for each in asked if (path := find_plugin(*each).file)]
    return {"/".join(path.parts[-3:]): plugin_files.source_bytes(path) for path in found}
