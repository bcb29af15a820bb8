"""Records that harness 0.1.0 left, unpacked as if it had written them where they are now.

The archive holds a folder a case: what was run, what it left on disk and in MLflow, and in
`expected.json` (after `harness resume`: `resumed.json`) what version 0.1.0 says of it.
"""

import hashlib
import json
import os
import re
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support import forks
from tests.support.commands import Done, variables

ARCHIVE = Path(__file__).with_name("records-0.1.0.tar.xz")
ROOT = "/tmp/records-0.1.0"  # where the records were made
CORE = "Haswell"  # the kernels of OpenBLAS that they were made with
UNTOUCHED = "sealed_manifest.json"  # as 0.1.0 sealed it
SEAL = ',\n "digest": "'  # begins the last line of a manifest


def unpack(into: Path, case: str) -> Path:
    """Unpack a case into a folder, and put that folder's path in the place of the recorded one.

    Return the folder of the case.
    """
    with tarfile.open(ARCHIVE) as packed:
        found = [each for each in packed.getmembers() if f"{each.name}/".startswith(f"{case}/")]
        packed.extractall(into, found, filter="data")
    for path in sorted(into.rglob("*")):
        if path.name == "mlflow.db":
            _move_database(path, into)
        elif path.is_file() and path.name != UNTOUCHED:
            _move_text(path, into)
    return into / case


def expected(folder: Path, name: str = "expected") -> dict[str, Any]:
    """Return what 0.1.0 left and recorded in a case's folder."""
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


def run(folder: Path, *arguments: str) -> Done:
    """Call the program in a folder, with the BLAS kernels that the records were made with."""
    env, before = variables(OPENBLAS_CORETYPE=CORE), [f"{__name__}:write_without_waiting"]
    process = forks.start(*arguments, cwd=folder, env=env, before=(*before,))
    return Done(process.wait(), *process.said())


def write_without_waiting() -> None:
    """Leave out fsync: the recorded sweeps ask for a checkpoint after each epoch."""
    os.fsync = lambda handle: None


def reseal(manifest: str) -> str:
    """Return a manifest with the seal that its text needs: the SHA-256 of all before it."""
    text, _, _ = manifest.rpartition(SEAL)
    return f'{text}{SEAL}{hashlib.sha256(text.encode()).hexdigest()}"\n}}'


def _moved(text: str, into: Path) -> str:
    """Return a text with another root in the place of the recorded one, in `file:` URLs too."""
    found = re.compile(rf"(file://)?{re.escape(ROOT)}(?![\w.-])")
    return found.sub(lambda match: into.as_uri() if match[1] else str(into), text)


def _move_text(path: Path, into: Path) -> None:
    content = path.read_bytes()
    if ROOT.encode() not in content:
        return
    try:
        text = _moved(content.decode(), into)
    except UnicodeDecodeError:
        return
    path.write_bytes((reseal(text) if path.name == "manifest.json" else text).encode())


def _move_database(path: Path, into: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.create_function("moved", 1, lambda text: _moved(text, into), deterministic=True)
        tables = base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for _, column, *_ in base.execute(f'PRAGMA table_info("{table}")').fetchall():
                base.execute(
                    f'UPDATE "{table}" SET "{column}" = moved("{column}")'
                    f' WHERE typeof("{column}") = \'text\' AND instr("{column}", ?)',
                    (ROOT,),
                )
        base.commit()
