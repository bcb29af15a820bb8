"""What is on disk: the manifest of what was asked, and a result file for each run trained.

Everything is written whole: to a temporary file, flushed to the disk, then renamed into place.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from filelock import FileLock

from harness import npz
from harness.contracts import Array, Arrays
from harness.errors import DiskError, UsageError
from harness.recording import flat

SCHEMA = 1
SEAL = ',\n "digest": "'
SMALL = 8  # keys: of a run's config its parts, but not the whole


class Curve(NamedTuple):
    """One metric over a run; points keep their time, so that publishing can be repeated."""

    steps: Array  # (points,) epochs
    values: Array  # (points,) finite
    times: Array  # (points,) milliseconds since 1970


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
        config = {key: value for key, value in flat(self.config).items() if key != "seed"}
        return hashlib.blake2b(repr(config).encode(), digest_size=16).digest()


@dataclass(frozen=True)
class Result:
    """What one run left: enough to publish it, and to predict with it, without training again."""

    fingerprint: str
    outcome: str  # "running" in a snapshot, else "ok", "diverged", "failed", "stopped", "pruned"
    started: int  # milliseconds since 1970
    ended: int
    curves: dict[str, Curve] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)  # finals, one number each
    weights: Arrays = field(default_factory=list)
    trail: dict[str, Array] = field(default_factory=dict)  # see harness.trail
    best_epoch: int = 0
    last_epoch: int = 0
    reason: str = ""  # one line: why the outcome is not "ok"
    traceback: str = ""
    drift: dict[str, Any] = field(default_factory=dict)  # if not trained with what was planned
    checkpoint: bytes = b""  # of a snapshot, now and then; see harness.checkpoints


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


def write_atomically(path: Path, content: bytes | Iterable[str]) -> None:
    """All of `content` at `path`, in a folder made if need be, or nothing new there; DiskError."""
    pieces = [content] if isinstance(content, bytes) else (piece.encode() for piece in content)
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise DiskError(f"cannot write {path}: {error.strerror or error}") from error


def _sync_directory(directory: Path) -> None:
    """Make a rename durable; systems that cannot open a directory need no such thing."""
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lock(directory: Path, name: str = "manifest") -> FileLock:
    """A kernel lock of a sweep's folder: freed by death, however it comes."""
    return FileLock(directory / f".{name}.lock")


def remove_leftovers(directory: Path) -> None:
    """Delete what processes that died while writing have left; nobody else may be at work."""
    with lock(directory):
        for place in ("", "results/", "checkpoints/"):
            for path in directory.glob(f"{place}*.[0-9]*.tmp"):  # as write_atomically names them
                path.unlink(missing_ok=True)
        with suppress(OSError):  # it is not there, or some of them are still of use
            (directory / "checkpoints").rmdir()


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
        runs = tuple(planned(run) for run in fields.pop("runs"))
        return Manifest(**fields | {"overrides": tuple(fields["overrides"])}, runs=runs)
    except FileNotFoundError:
        raise UsageError(f"{path}: no manifest; no run or sweep was started there") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{path}: damaged: {error}") from error


def _sharing() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A hook for JSON: small objects that are equal are one, for large sweeps repeat them."""
    parts: dict[str, dict[str, Any]] = {}
    return lambda node: node if len(node) > SMALL else parts.setdefault(repr(node), node)


def planned(fields: dict[str, Any]) -> Planned:
    """A run as it comes from JSON."""
    lists = ("jobs", "overrides", "inputs", "plugins")
    return Planned(**fields | {key: tuple(fields[key]) for key in lists})


def result_path(directory: Path, fingerprint: str) -> Path:
    return directory / "results" / f"{fingerprint}.npz"


def write_result(directory: Path, result: Result) -> None:
    """Make a result durable, before it is published."""
    write_atomically(result_path(directory, result.fingerprint), pack(result))


def read_result(directory: Path, fingerprint: str) -> Result | None:
    """A run's result, or None if there is none or it is damaged (it is then trained again)."""
    path = result_path(directory, fingerprint)
    try:
        result = unpack(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return result if result.fingerprint == fingerprint else None


def pack(result: Result) -> bytes:
    """A result as the bytes of an npz: plain arrays, and one JSON text for the rest."""
    apart = ("curves", "weights", "trail", "checkpoint")
    plain = {name: value for name, value in vars(result).items() if name not in apart}
    arrays = {f"layer{i}": array for i, array in enumerate(result.weights)}
    arrays |= {f"trail_{name}": array for name, array in result.trail.items()}
    for i, curve in enumerate(result.curves.values()):
        arrays |= {f"curve{i}_{part}": array for part, array in curve._asdict().items()}
    text = json.dumps(plain | {"curves": [*result.curves]})
    return npz.pack({**arrays, "about": np.frombuffer(text.encode(), np.uint8)})


def unpack(content: bytes) -> Result:
    """The inverse of pack; ValueError, KeyError or TypeError if the bytes are none of its."""
    arrays = npz.unpack(content)
    about = json.loads(arrays["about"].tobytes())
    curves = {
        key: Curve(*(arrays[f"curve{i}_{part}"] for part in Curve._fields))
        for i, key in enumerate(about.pop("curves"))
    }
    trail = {k.removeprefix("trail_"): v for k, v in arrays.items() if k.startswith("trail_")}
    return Result(**about, curves=curves, weights=npz.layers(arrays), trail=trail)
