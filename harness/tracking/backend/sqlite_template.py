"""Keeps an empty MLflow store in the user's cache, to be copied instead of made anew.

MLflow's migrations of an empty file take 0.6 to 0.75 s, a copy takes 0.03 s. The template is never
needed: one that is damaged, or made by other versions, is not used and is made again.
"""

import gzip
import sqlite3
import zlib
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

from harness.errors import DiskError
from harness.store.files import user_cache, write_atomically

LARGEST = 64 << 20  # bytes
EMPTY = ("experiments", "runs")  # tables that must have no row
_DAMAGE = (OSError, EOFError, zlib.error, sqlite3.Error, MemoryError)


def template_path() -> Path:
    """Return the template's path, which names the versions that decide what a new store holds."""
    makers = {name: version(name) for name in ("mlflow", "sqlalchemy")}
    makers["sqlite"] = sqlite3.sqlite_version
    name = "-".join(f"{maker}-{number}" for maker, number in makers.items())
    return user_cache() / f"{name}.db.gz"


def copy_template(path: Path) -> bool:
    """Write a copy of the template to `path`; return False if there is no good template.

    The copy has no experiment yet: MLflow makes its first one when the copy is opened.
    """
    try:
        with gzip.open(template_path()) as file:  # has a checksum
            content = file.read(LARGEST)
            whole = not file.read(1)
        with _in_memory(content) as base:
            full = any(base.execute(f"SELECT 1 FROM {table}").fetchone() for table in EMPTY)
    except (*_DAMAGE, RuntimeError):
        return False
    if full or not whole:
        return False
    path.write_bytes(content)
    return True


def keep_template(made: Path) -> None:
    """Make a new store the template, without its first experiment, which knows its folder."""
    with suppress(*_DAMAGE, RuntimeError, DiskError), _in_memory(made.read_bytes()) as base:
        base.execute("DELETE FROM experiments")
        base.commit()
        write_atomically(template_path(), gzip.compress(base.serialize(), mtime=0))


def _in_memory(content: bytes) -> closing[sqlite3.Connection]:
    """Return a database read from bytes; it must not be in WAL mode."""
    base = sqlite3.connect(":memory:")
    base.deserialize(content)
    return closing(base)
