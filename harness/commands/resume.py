"""`harness resume DIR`: finish a stopped run or sweep, and publish what is not published yet."""

import argparse
from pathlib import Path

from harness import store, sweeps
from harness.commands.train import interrupted, report
from harness.progress import Progress
from harness.signals import tidy_signals


def main(arguments: list[str]) -> int:
    """Do exactly what the folder's manifest asks for and is not done; return the exit code."""
    parser = argparse.ArgumentParser(prog="harness resume", description=__doc__)
    parser.add_argument(
        "folder", type=Path, help="of the run or sweep: the one with manifest.json"
    )
    folder = parser.parse_args(arguments).folder.absolute()
    total = len(store.read_manifest(folder).runs)
    with tidy_signals(), Progress(total, quiet=False) as progress:
        try:
            summary = sweeps.carry_out(folder, progress=progress)
        except sweeps.Interrupted as stop:
            return interrupted(stop)
    return report(summary)
