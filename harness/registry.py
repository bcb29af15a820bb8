"""Which plugins there are, from package metadata alone; a plugin is imported when it is chosen."""

import hashlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from harness.contracts import KINDS, DataError
from harness.errors import HarnessError, PluginError, from_outside

# What a class of a kind says of itself besides its methods.
SAYS = {"loss": "task", "metric": "greater_is_better", "figure": "scope"}


@dataclass(frozen=True)
class Origin:
    """Where a plugin comes from."""

    kind: str
    name: str
    value: str  # module:Class
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.kind} plugin {self.name!r} ({self.distribution} {self.version})"


@cache
def table() -> Mapping[str, Mapping[str, tuple[EntryPoint, ...]]]:
    """{kind: {name: entry points}}; nothing is imported.

    A name that two distributions give stays reachable as `distribution/name`.
    """
    found: dict[str, dict[str, list[EntryPoint]]] = {kind: {} for kind in KINDS}
    everything = entry_points()
    for kind in KINDS:
        for entry in _distinct(everything.select(group=f"harness.{kind}")):
            found[kind].setdefault(entry.name, []).append(entry)
    for names in found.values():
        for name, entries in [*names.items()]:
            if len(entries) > 1:
                names |= {f"{_distribution(entry)[0]}/{name}": [entry] for entry in entries}
    return {
        kind: {name: tuple(entries) for name, entries in sorted(names.items())}
        for kind, names in found.items()
    }


def _distinct(entries: object) -> list[EntryPoint]:
    """Entry points without repeats: one distribution can be on the path twice."""
    seen = {(e.name, e.value, _distribution(e)): e for e in entries}  # type: ignore[attr-defined]
    return [seen[key] for key in sorted(seen)]


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist else ("unknown", "0")


def names(kind: str) -> list[str]:
    """The names that `kind=` accepts."""
    return [*table()[kind]]


def origin(kind: str, name: str) -> Origin:
    """Where the plugin behind `kind=name` comes from; PluginError if there is not exactly one."""
    entries = table()[kind].get(name, ())
    if len(entries) > 1:
        choices = " or ".join(f"{kind}={_distribution(e)[0]}/{name}" for e in entries)
        raise PluginError(f"{kind}={name} is given by several distributions: choose {choices}")
    if not entries:
        raise PluginError(unknown(kind, name, names(kind)))
    return Origin(kind, name, entries[0].value, *_distribution(entries[0]))


def unknown(what: str, name: str, allowed: list[str]) -> str:
    """The sentence for a name that is not there, with the nearest ones that are."""
    near = get_close_matches(str(name), allowed, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{what}: there is no {name!r}.{hint} Available: {', '.join(allowed) or 'none'}"


@contextmanager
def at_work(where: Origin, problem: str) -> Iterator[None]:
    """Meanwhile a plugin works: what it raises, SystemExit too, becomes a PluginError."""
    try:
        yield
    except (HarnessError, DataError):
        raise
    except BaseException as error:
        if from_outside(error):
            raise
        text = f"{where} {problem}: {type(error).__name__}: {error}"
        raise PluginError(text.removesuffix(": ")) from error


@cache
def load(kind: str, name: str) -> type:
    """The class behind `kind=name`; PluginError names the distribution and what is wrong."""
    where = origin(kind, name)
    with at_work(where, "cannot be imported"):
        plugin = table()[kind][name][0].load()
    if not (isinstance(plugin, type) and is_dataclass(plugin)):
        raise PluginError(f"{where} is not a dataclass: {where.value}")
    if not plugin.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise PluginError(f"{where} is not frozen: declare it with @dataclass(frozen=True)")
    if kind in SAYS and not hasattr(plugin, SAYS[kind]):
        raise PluginError(f"{where} has no `{SAYS[kind]}`: declare it as a ClassVar")
    return plugin


@cache
def provenance(kind: str, name: str) -> dict[str, str]:
    """What is recorded of a plugin: its kind, name, distribution, version and source hash."""
    where, plugin = origin(kind, name), load(kind, name)
    return {
        "kind": kind,
        "name": name,
        "distribution": where.distribution,
        "version": where.version,
        "source": source_hash(plugin),
    }


def source_hash(plugin: type) -> str:
    """A short hash of the module that a plugin is written in."""
    try:
        source = Path(inspect.getfile(plugin)).read_bytes()
    except (OSError, TypeError):
        source = plugin.__qualname__.encode()
    return hashlib.sha256(source).hexdigest()[:12]
