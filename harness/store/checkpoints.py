"""Checkpoints on disk: one file a run, beside the results."""

from collections.abc import Iterable
from pathlib import Path

from harness.store.files import write_atomically


def write_checkpoint(directory: Path, fingerprint: str, content: bytes) -> None:
    """Keep a run's latest checkpoint in its sweep's folder."""
    write_atomically(_path(directory, fingerprint), content)


def read_checkpoints(directory: Path, fingerprints: Iterable[str]) -> dict[str, bytes]:
    """Return the checkpoints that these runs have, by fingerprint."""
    paths = {fingerprint: _path(directory, fingerprint) for fingerprint in fingerprints}
    return {name: path.read_bytes() for name, path in paths.items() if path.exists()}


def remove_checkpoint(directory: Path, fingerprint: str) -> None:
    """Delete the checkpoint of a run that has ended, if it has one."""
    _path(directory, fingerprint).unlink(missing_ok=True)


def _path(directory: Path, fingerprint: str) -> Path:
    return directory / "checkpoints" / f"{fingerprint}.npz"
