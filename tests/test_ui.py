"""`harness ui`: the right store, links that open on the curves in a real browser, a clean end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from harness.commands import ui
from harness.errors import UsageError
from harness.tracking.publisher import Publisher
from harness.tracking.uri import sqlite_uri
from tests.recorded import PARAMS, QUIET, manifest, result, served

pytestmark = QUIET
CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RUN = "import sys; from harness.cli import main; sys.exit(main(['ui', *sys.argv[1:]]))"


def record(uri, folder, single=False):
    publisher = Publisher(uri, manifest(folder, 1 if single else 3, single), folder)
    publisher.open()
    ids = [
        publisher.publish(run, result(run, points=20), {}, {**PARAMS, "seed": str(i)}, {})
        for i, run in enumerate(publisher._manifest.runs)
    ]
    publisher.finish("", {}, {}, {"best_run_id": ids[0]}, {}, "FINISHED")
    return ids


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a recorded sweep, and the ids of its runs."""
    folder = tmp_path_factory.mktemp("place")
    return folder, record(sqlite_uri(folder / "mlflow.db"), folder)


class Served:
    """A running `harness ui`: its links and what it said besides."""

    def __init__(self, folder, *arguments):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", RUN, *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.links, self.said = {}, []
        for line in self.process.stderr:
            self.said.append(line)
            if line.startswith("serving"):
                break

    def end(self, number):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        self.links = dict(line.split(": ", 1) for line in out.splitlines())
        return self.process.returncode, err


def port_of(served):
    return int(served.said[-1].split()[1].rpartition(":")[2])


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def children_of(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in listed} | {g for c in listed for g in children_of(int(c))}
