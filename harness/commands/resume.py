"""`harness resume DIR`: finish a stopped run or sweep, and publish unpublished results."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from harness.commands.train import run_and_report
from harness.config import plugin_files
from harness.errors import UsageError
from harness.store.manifest import Manifest, read_manifest
from harness.sweeps import execute
from harness.sweeps.progress import Progress
from harness.sweeps.summary import Summary
from harness.tracking.backend.uri import database_file


def main(arguments: list[str]) -> int:
    """Train and publish the unfinished runs of the folder's manifest; return the exit code."""
    parser = argparse.ArgumentParser(prog="harness resume", description=__doc__)
    parser.add_argument(
        "folder", type=Path, help="the folder of the run or sweep, which has manifest.json"
    )
    parser.add_argument(
        "--accept-drift",
        action="store_true",
        help="go on although plugins, data or libraries have changed since the start",
    )
    args = parser.parse_args(arguments)
    folder = args.folder.absolute()
    manifest = read_manifest(folder)
    plugin_files.use_recorded_folders(manifest.folders)
    warn_of_lost_store(folder, manifest)
    return run_and_report(partial(go_on, folder, manifest, args.accept_drift))


def warn_of_lost_store(folder: Path, manifest: Manifest) -> None:
    """Print a warning if something is trained, and its SQLite store is not where it was."""
    path = database_file(manifest.tracking_uri)
    if path is not None and not path.exists() and any((folder / "results").glob("*.npz")):
        text = f"no MLflow store is at {path}, where this was to be recorded: it is made anew"
        print(f"harness: warning: {text}", file=sys.stderr, flush=True)


def go_on(folder: Path, manifest: Manifest, accept_drift: bool) -> Summary:
    """Train and publish what is missing, in the directory that the sweep was started in."""
    try:
        os.chdir(manifest.cwd)  # datasets and configs may be named by relative paths
    except OSError as error:
        if manifest.search is not None:
            text = f"{manifest.cwd}, where the search was started: {error.strerror}"
            raise UsageError(text) from error
    if (search := manifest.search) is None:
        with Progress(len(manifest.runs), quiet=False) as progress:
            return execute.carry_out(folder, progress=progress, accept_drift=accept_drift)
    return _repeat_search(folder, manifest.overrides, search, accept_drift)


def _repeat_search(
    folder: Path, overrides: Sequence[str], search: Mapping[str, Any], accept_drift: bool
) -> Summary:
    """Repeat the command of a search in its folder, since its next trials must be composed."""
    from harness.hydra_app.launch import launch

    there = str(folder).replace("'", "\\'")
    return launch(
        overrides,
        multirun=True,
        config_dir=search["config_dir"],
        config_name=search["config_name"],
        place=[f"hydra.sweep.dir='{there}'"],
        accept_drift=accept_drift,
        pinned=search.get("pinned"),
    )
