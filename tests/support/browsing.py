"""A real browser, and `harness ui` as a process for it to look at."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RUN = "import sys; from harness.cli import main; sys.exit(main(['ui', *sys.argv[1:]]))"


@contextmanager
def chromium() -> Iterator[Any]:
    """Context manager: a browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Ui:
    """A running `harness ui`: its links, and what it said besides."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        self.out = (folder / "out.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", RUN, *arguments],
            cwd=folder,
            env=environment,
            stdout=self.out,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        for line in self.process.stderr:
            self.said.append(line)
            if line.startswith("serving"):
                break
        self.base = self.said[-1].split()[1]
        self.links = dict(
            line.rstrip().split(": ", 1) for line in Path(self.out.name).read_text().splitlines()
        )

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        self.out.close()
        return self.process.returncode


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
