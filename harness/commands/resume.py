"""`harness resume DIR`: finish a stopped run or sweep, and publish what is not published yet."""

import argparse
import os
from functools import partial
from pathlib import Path

from harness.commands.train import run_and_report
from harness.config import plugin_files
from harness.errors import UsageError
from harness.store.manifest import Manifest, read_manifest
from harness.sweeps import execute
from harness.sweeps.progress import Progress
from harness.sweeps.summary import Summary


def main(arguments: list[str]) -> int:
    """Do exactly what the folder's manifest asks for and is not done; return the exit code."""
    parser = argparse.ArgumentParser(prog="harness resume", description=__doc__)
    parser.add_argument(
        "folder", type=Path, help="of the run or sweep: the one with manifest.json"
    )
    parser.add_argument(
        "--accept-drift",
        action="store_true",
        help="train with what is there now, where plugins, data or libraries have changed",
    )
    args = parser.parse_args(arguments)
    folder, accept = args.folder.absolute(), args.accept_drift
    manifest = read_manifest(folder)
    plugin_files.use_recorded_folders(manifest.folders)
    go_on = go_on_searching if manifest.search is not None else go_on_training
    return run_and_report(partial(go_on, folder, manifest, accept))


def go_on_training(folder: Path, manifest: Manifest, accept_drift: bool) -> Summary:
    """All that is to be known is in the folder."""
    with Progress(len(manifest.runs), quiet=False) as progress:
        return execute.carry_out(folder, progress=progress, accept_drift=accept_drift)


def go_on_searching(folder: Path, manifest: Manifest, accept_drift: bool) -> Summary:
    """What a search tries next has to be composed: the same command again, in the same folder."""
    from harness.hydra_app.launch import launch

    assert manifest.search is not None
    try:
        os.chdir(manifest.cwd)
    except OSError as error:
        raise UsageError(
            f"{manifest.cwd}, where the search was started: {error.strerror}"
        ) from error
    there = str(folder).replace("'", "\\'")
    return launch(
        manifest.overrides,
        multirun=True,
        config_dir=manifest.search["config_dir"],
        config_name=manifest.search["config_name"],
        place=[f"hydra.sweep.dir='{there}'"],
        accept_drift=accept_drift,
    )
