"""The manifest: the runs that were asked for, sealed on disk."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Self

from harness.errors import UsageError
from harness.store.files import write_atomically
from harness.store.old_records import complete_config
from harness.store.params import flatten

SCHEMA = 1
SEAL = ',\n "digest": "'
SMALL = 8  # keys: the parts of a run's config have fewer, the whole has more


@dataclass(frozen=True)
class Planned:
    """One run as it was asked for."""

    jobs: tuple[int, ...]  # its places in the sweep: several if it was asked for more than once
    fingerprint: str
    name: str  # the overrides that vary in this sweep
    overrides: tuple[str, ...]
    config: dict[str, Any]
    inputs: tuple[dict[str, Any], ...] = ()  # the parts of the data: name, digest, rows, context
    plugins: tuple[dict[str, Any], ...] = ()  # kind, name, distribution, version, source hash

    @cached_property
    def setting(self) -> bytes:
        """Return a digest of the config without its seed: equal for repeats of a setting."""
        config = {key: value for key, value in flatten(self.config).items() if key != "seed"}
        return hashlib.blake2b(repr(config).encode(), digest_size=16).digest()


@dataclass(frozen=True)
class Manifest:
    """A sweep (or a single run: a sweep of one without a parent) as it was planned."""

    sweep_id: str
    single: bool
    created: int  # milliseconds since 1970
    cwd: str
    tracking_uri: str  # without credentials
    experiment: str
    name: str  # of the parent run
    overrides: tuple[str, ...]  # the command line
    objective: dict[str, Any]
    tracking: dict[str, Any]
    figures: dict[str, Any]
    numerics: dict[str, Any]
    runs: tuple[Planned, ...]  # empty for a search: they are in the log of its trials
    launcher: dict[str, Any] = field(default_factory=dict)
    search: dict[str, Any] | None = None  # the sweeper's settings, if it is a search
    folders: list[str] = field(default_factory=list)  # of one-file plugins
    schema: int = SCHEMA

    def with_runs(self, planned: Sequence[Planned]) -> Self:
        """Return the manifest with these runs added; a run that it has gets further jobs."""
        runs = {run.fingerprint: run for run in self.runs}
        for run in planned:
            known = runs.get(run.fingerprint, run)
            jobs = tuple(dict.fromkeys((*known.jobs, *run.jobs)))
            runs[run.fingerprint] = replace(known, jobs=jobs)
        return replace(self, runs=tuple(runs.values()))


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write the manifest, each run on a line of its own, with a digest of it all at the end."""
    about = json.dumps(vars(manifest) | {"runs": []}, indent=1, ensure_ascii=False)
    head, mark, tail = about.partition('"runs": [')
    runs = (json.dumps(vars(run), ensure_ascii=False) for run in manifest.runs)
    lines = (f"{',' * (number > 0)}\n  {run}" for number, run in enumerate(runs))
    whole = chain([head + mark], lines, [tail.removesuffix("\n}")])
    write_atomically(directory / "manifest.json", _sealed(whole))


def _sealed(pieces: Iterable[str]) -> Iterator[str]:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece.encode())
        yield piece
    yield _seal(digest.hexdigest())


def _seal(digest: str) -> str:
    """Return the last line of a manifest: the digest of all text before it."""
    return f'{SEAL}{digest}"\n}}'


def read_manifest(directory: Path) -> Manifest:
    """Return the manifest of a sweep's folder; raise UsageError if it is missing or changed."""
    path = directory / "manifest.json"
    try:
        content = path.read_bytes()
        fields = json.loads(content, object_hook=_sharing())
        if (schema := fields["schema"]) != SCHEMA:
            by = f"harness {fields['numerics'].get('harness')} wrote it"
            raise UsageError(f"{path}: schema {schema}: {by}, and this one reads schema {SCHEMA}")
        text, _, _ = content.rpartition(SEAL.encode())
        if content[len(text) :] != _seal(hashlib.sha256(text).hexdigest()).encode():
            raise UsageError(f"{path}: changed since it was written; nothing is done by it")
        del content, text, fields["digest"]
        runs = tuple(planned_from_json(run) for run in fields.pop("runs"))
        completed = complete_config({key: fields[key] for key in ("tracking", "figures")})
        fields |= {key: completed[key] for key in ("tracking", "figures")}
        return Manifest(**fields | {"overrides": tuple(fields["overrides"])}, runs=runs)
    except FileNotFoundError:
        raise UsageError(f"{path}: no manifest; no run or sweep was started there") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{path}: damaged: {error}") from error


def _sharing() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a JSON hook that makes equal small objects one: large sweeps repeat them."""
    parts: dict[str, dict[str, Any]] = {}
    return lambda node: node if len(node) > SMALL else parts.setdefault(repr(node), node)


def planned_from_json(fields: dict[str, Any]) -> Planned:
    """Return a run as it was planned, its config completed if an older version recorded it."""
    lists = {key: tuple(fields[key]) for key in ("jobs", "overrides", "inputs", "plugins")}
    return Planned(**fields | lists | {"config": complete_config(fields["config"])})
