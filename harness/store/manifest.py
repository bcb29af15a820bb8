"""The manifest: what was asked for, sealed on disk."""

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
SMALL = 8  # keys: of a run's config its parts, but not the whole


@dataclass(frozen=True)
class Planned:
    """One run as it was asked for."""

    jobs: tuple[int, ...]  # its places in the sweep: more than one if it was asked for twice
    fingerprint: str
    name: str  # the overrides that vary in this sweep
    overrides: tuple[str, ...]
    config: dict[str, Any]
    inputs: tuple[dict[str, Any], ...] = ()  # the parts of the data: name, digest, rows, context
    plugins: tuple[dict[str, Any], ...] = ()  # kind, name, distribution, version, source hash

    @cached_property
    def setting(self) -> bytes:
        """What runs have in common that differ in nothing but their seed."""
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
    runs: tuple[Planned, ...]  # of a search: none, they are in the log of its trials
    launcher: dict[str, Any] = field(default_factory=dict)
    search: dict[str, Any] | None = None  # what the sweeper was told, if it is a search
    folders: list[str] = field(default_factory=list)  # of one-file plugins
    schema: int = SCHEMA

    def with_runs(self, planned: Sequence[Planned]) -> Self:
        """This manifest with those runs too; one that is known already has further jobs."""
        runs = {run.fingerprint: run for run in self.runs}
        for run in planned:
            there = runs.get(run.fingerprint, run)
            jobs = tuple(dict.fromkeys((*there.jobs, *run.jobs)))
            runs[run.fingerprint] = replace(there, jobs=jobs)
        return replace(self, runs=tuple(runs.values()))


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """All that is asked for, each run on a line of its own; at the end a digest of it all."""
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
    """The last line of a manifest: the digest of all that stands before it."""
    return f'{SEAL}{digest}"\n}}'


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a sweep's folder; UsageError if there is none, or not as it was written."""
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
    """A hook for JSON: small objects that are equal are one, for large sweeps repeat them."""
    parts: dict[str, dict[str, Any]] = {}
    return lambda node: node if len(node) > SMALL else parts.setdefault(repr(node), node)


def planned_from_json(fields: dict[str, Any]) -> Planned:
    """Return a run as it was planned, its config completed if an older version recorded it."""
    lists = {key: tuple(fields[key]) for key in ("jobs", "overrides", "inputs", "plugins")}
    return Planned(**fields | lists | {"config": complete_config(fields["config"])})
