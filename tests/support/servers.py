"""A real PostgreSQL of the tests' own: made when first asked for, stopped at the end."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


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
