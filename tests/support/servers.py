"""Real servers of the tests' own, MLflow's and PostgreSQL, stopped at the end."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness.tracking.backend.uri import sqlite_uri
from tests.support import forks
from tests.support.commands import variables


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class TrackingServer:
    """An MLflow server that can be killed and started again on the same store.

    It is forked from a process that has imported MLflow: 1.5 s of CPU instead of the 7 s that
    `mlflow server` takes. What it keeps, artifacts too, is in its folder.
    """

    def __init__(self, folder: Path, store: str = "") -> None:
        self.folder, self.store = folder, store or sqlite_uri(folder / "mlflow.db")
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        before = ("tests.support.servers:serve", self.store, self.port, str(self.folder))
        self.process = forks.start(cwd=self.folder, env=variables(), before=before)
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"{self.base}/health", timeout=5):
                return
            time.sleep(0.1)
        raise AssertionError(f"the server does not answer: {self.process.said()}")

    def kill(self) -> None:
        self.process.signal(signal.SIGKILL)
        self.process.wait()


def serve(store: str, port: int, folder: str) -> None:
    """In a program that begins: be what `mlflow server` starts, until killed."""
    import uvicorn
    from mlflow import server
    from mlflow.server import handlers

    os.environ[server.BACKEND_STORE_URI_ENV_VAR] = store
    os.environ[server.ARTIFACT_ROOT_ENV_VAR] = "mlflow-artifacts:/"
    os.environ[server.ARTIFACTS_DESTINATION_ENV_VAR] = Path(folder, "mlartifacts").as_uri()
    os.environ[server.SERVE_ARTIFACTS_ENV_VAR] = "true"
    # `mlflow server` makes the tables before it answers; else the first request waits for them.
    handlers.initialize_backend_stores(store, default_artifact_root="mlflow-artifacts:/")
    app = "mlflow.server.fastapi_app:app"
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


@contextmanager
def tracking_server(folder: Path, store: str = "") -> Iterator[str]:
    """Context manager: the address of an MLflow server."""
    server = TrackingServer(folder, store)
    server.start()
    yield server.base
    server.kill()


def programs() -> Path | None:
    """Where PostgreSQL's programs are; Debian keeps them off the PATH."""
    if found := shutil.which("pg_ctl"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


class Cluster:
    """A PostgreSQL server with its data in a folder; it takes everybody from this computer."""

    def __init__(self, folder: Path, bin: Path) -> None:
        self.folder, self.bin, self.port = folder, bin, free_port()

    def call(self, program: str, *arguments: str) -> None:
        """Run one of its programs, which refuse to be run by root."""
        line = [str(self.bin / program), "-D", str(self.folder / "data"), *arguments]
        if os.geteuid() == 0:
            line = ["runuser", "-u", "postgres", "--", *line]
        with (self.folder / "said").open("w+") as said:  # a pipe would stay open in the server
            done = subprocess.run(
                line, cwd=self.folder, stdout=said, stderr=said, timeout=120, check=False
            )
            said.seek(0)
            assert done.returncode == 0, said.read()

    def start(self) -> None:
        where = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -F"
        self.call("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", where, "start")

    def stop(self, how: str = "fast") -> None:
        self.call("pg_ctl", "-w", "-m", how, "stop")

    def database(self, name: str) -> str:
        """The address of a new, empty database."""
        import psycopg

        with psycopg.connect(self.uri("postgres"), autocommit=True) as base:
            base.execute(f'CREATE DATABASE "{name}"')
        return self.uri(name)

    def uri(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server; the test is skipped, and says so, where it is not installed."""
    bin = programs()
    if bin is None:
        pytest.skip("PostgreSQL is not installed (.ci/run installs it)")
    with tempfile.TemporaryDirectory(prefix="harness-pg-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        server = Cluster(folder, bin)
        server.call("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
