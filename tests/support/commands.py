"""The program as people use it: called in this process, or as a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.cli import main
from harness.store.manifest import read_manifest, write_manifest
from harness.store.results import result_path
from tests.support import forks

SHORT = ("figures=none", "tracking.model=none", "epochs=2", "dataset.samples=20")


def merged(*arguments: str) -> list[str]:
    """The arguments, each key once, with its last value."""
    return [*{each.partition("=")[0]: each for each in arguments}.values()]


class Done(NamedTuple):
    code: int
    out: str
    err: str


def manifest(folder: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return made


def closing_lines(text: str) -> dict[str, str]:
    """What scripts read: `key: value` lines."""
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def listing(folder: Path) -> list[str]:
    """Return the paths under `folder`, without the bytecode that Python writes by itself."""
    paths = (path.relative_to(folder) for path in folder.rglob("*"))
    return sorted(str(path) for path in paths if "__pycache__" not in path.parts)


def harness(capsys, *arguments: str) -> Done:
    """Call the program here; what was printed before is thrown away."""
    capsys.readouterr()
    code = main(arguments)
    return Done(code, *capsys.readouterr())


def variables(**more: str) -> dict[str, str]:
    """The environment for a process, without MLflow's variables."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "COV_"))}
    return kept | more


def harness_process(*arguments: str, cwd: Path, **env: str) -> Done:
    """Call the program as a process of its own."""
    process = forks.start(*arguments, cwd=cwd, env=variables(**env))
    return Done(process.wait(), *process.said())


def harness_afresh(*arguments: str, cwd: Path, **env: str) -> Done:
    """Call the program in an interpreter of its own: where imports and start-up matter."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=cwd,
        env=variables(**env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def refused(capsys, *arguments: str) -> str:
    """What is said of bad usage: exit 2, one to three lines, nothing printed nor created."""
    before = listing(Path.cwd())
    code, out, err = harness(capsys, *arguments)
    assert (code, out) == (2, ""), err
    assert err.startswith("harness: "), err
    assert 1 <= len(err.splitlines()) <= 3, err
    assert "Traceback" not in err
    assert listing(Path.cwd()) == before
    return err


def unfinish(folder, **changes):
    """As if the sweep had been killed before its last run, planned on another machine perhaps."""
    made = read_manifest(folder)
    write_manifest(folder, replace(made, **changes))
    last = made.runs[-1]
    result_path(folder, last.fingerprint).unlink()
    return last.fingerprint
