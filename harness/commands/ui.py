"""`harness ui`: serve the MLflow UI on this computer, and print links that open on the curves."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from errno import EADDRINUSE
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from filelock import FileLock, Timeout

from harness.commands.signals import tidy_signals
from harness.errors import Terminated, TrackingError, UsageError
from harness.tracking.backend.connection import Connection
from harness.tracking.backend.sqlite import artifacts_beside, is_store
from harness.tracking.backend.sqlite_template import template_path
from harness.tracking.backend.uri import (
    DATABASES,
    SERVERS,
    database_file,
    tracking_uri,
    uri_scheme,
    without_credentials,
)
from harness.tracking.links import links, missing_of_newest
from harness.tracking.read_run import connect_store

HOST, PORT = "127.0.0.1", 5000
START_SECONDS = 120.0  # the server must answer within this time
STOP_SECONDS = 5.0  # the server is killed if it has not stopped within this time
SETTINGS = {
    # Job execution starts seven more processes, and nothing here uses them.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def main(arguments: list[str]) -> int:
    """Serve the UI until Ctrl-C, the normal end; return the exit code."""
    parser = argparse.ArgumentParser(prog="harness ui", description=__doc__)
    parser.add_argument("--port", type=int, help=f"default: the first free port from {PORT} on")
    parser.add_argument("--host", default=HOST, help=f"the address to listen on (default: {HOST})")
    parser.add_argument(
        "--allow-remote", action="store_true", help="allow a --host that others can reach"
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="print the links, but open no browser"
    )
    args = parser.parse_args(arguments)
    browse = has_desktop() and not args.no_browser
    check_host(args.host, args.allow_remote)
    uri = tracking_uri(None, Path.cwd())
    if uri_scheme(uri) in SERVERS:
        connection = connect_store(uri)
        print_missing(connection)
        print_links(links(connection, without_credentials(uri)), browse)
        return 0
    require_servable(uri)
    try:
        with tidy_signals(), free_port(args.port, args.host) as port:
            serve(uri, port, args.host, browse)
    except Terminated:
        raise
    except KeyboardInterrupt:
        return 0
    return 1


def check_host(host: str, allowed: bool) -> None:
    """Raise UsageError if others can reach the host, unless `allowed`; then print a warning.

    MLflow's UI asks for no password: everybody who can reach it can read and delete all runs.
    """
    try:
        found = socket.getaddrinfo(host, None)
    except OSError as error:
        raise UsageError(f"--host {host}: {error.strerror}") from error
    if all(ip_address(each[4][0]).is_loopback for each in found):
        return
    danger = f"--host {host}: others can reach it, and can read and delete all recorded runs"
    if not allowed:
        raise UsageError(f"{danger}\n--allow-remote serves it nevertheless")
    print(f"harness: warning: {danger}", file=sys.stderr)


def require_servable(uri: str) -> None:
    """Raise UsageError if the store is empty, or of a kind that cannot be served here."""
    path = database_file(uri)
    if path is None and uri_scheme(uri) not in DATABASES:
        raise UsageError(f"{without_credentials(uri)}: not a store that can be served here")
    if path is not None and not is_store(path):
        raise UsageError(
            f"nothing is recorded here: there is no MLflow store at {path}\n"
            "train something first, or say where with MLFLOW_TRACKING_URI"
        )


@contextmanager
def free_port(asked: int | None, host: str = HOST) -> Iterator[int]:
    """Context manager: yield the port asked for, or else the first free one, and reserve it.

    Raises UsageError if the port, or each of 100 ports, is in use.
    """
    for port in [asked] if asked is not None else range(PORT, PORT + 100):
        with ExitStack() as reserved, socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                reserved.enter_context(reserved_port(port))
                probe.bind((host, port))
            except (OSError, OverflowError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                continue
            probe.close()
            if asked is None and port != PORT:
                print(f"port {PORT} is in use: taking {port}", file=sys.stderr)
            yield port
            return
    raise UsageError(f"port {asked or PORT} cannot be used: {reason}")


@contextmanager
def reserved_port(port: int) -> Iterator[None]:
    """Context manager: keep other `harness ui` of this user off a port; OSError if one has it."""
    # A server binds its port some seconds after the port was found free. Without the lock, two
    # programs that start at once would choose the same port, and one server would fail.
    lock = FileLock(template_path().with_name(f"port-{port}.lock"))
    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise OSError(EADDRINUSE, "another harness ui has it") from None
    except OSError:
        pass  # the folder cannot be written to: go on without a lock
    try:
        yield
    finally:
        lock.release()


def serve(uri: str, port: int, host: str, browse: bool) -> None:
    """Run the server until a signal arrives; raise TrackingError if it stops by itself."""
    base = f"http://{host}:{port}"
    with TemporaryFile() as output, running_server(uri, port, output, host) as process:
        connection = connect_store(uri)  # while the server starts
        print_missing(connection)
        found = links(connection, base)
        wait_until_it_answers(process, base)
        if process.poll() is None:
            print_links(found, browse)
            print(f"serving {base} (Ctrl-C stops it)", file=sys.stderr, flush=True)
            process.wait()
        output.seek(0)
        raise TrackingError(f"the MLflow server stopped: {last_error_line(output.read())}")


@contextmanager
def running_server(
    uri: str, port: int, output: IO[bytes], host: str = HOST
) -> Iterator[subprocess.Popen[bytes]]:
    """Context manager: run an MLflow server on the store; stop all its processes at the end."""
    settings = {**SETTINGS, **artifact_options(uri), **os.environ, "MLFLOW_BACKEND_STORE_URI": uri}
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--workers", "1"],
        env=settings,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        stop_server(process)


def artifact_options(uri: str) -> dict[str, str]:
    """Return the variables that make the server keep artifacts where direct writers keep them."""
    path = database_file(uri)
    if path is None:
        return {}
    place = artifacts_beside(path)
    return {"MLFLOW_DEFAULT_ARTIFACT_ROOT": place, "MLFLOW_ARTIFACTS_DESTINATION": place}


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """Terminate a server and its processes; kill them after STOP_SECONDS."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until_it_answers(process: subprocess.Popen[bytes], base: str) -> None:
    """Wait until the server is ready or has stopped; TrackingError after START_SECONDS."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{base}/health", timeout=5):
            return
        if time.monotonic() > end:
            raise TrackingError(f"the MLflow server does not answer within {START_SECONDS:.0f} s")
        time.sleep(0.2)


def last_error_line(output: bytes) -> str:
    """Return the last line of a program's output that names an error, or else its last line."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines()]
    found = [line for line in lines if "error" in line.lower()] or [line for line in lines if line]
    return found[-1][:300] if found else "it printed nothing"


def print_missing(connection: Connection) -> None:
    """Print a warning if the store does not have the files of its last run."""
    if problem := missing_of_newest(connection):
        print(f"harness: warning: {problem}", file=sys.stderr, flush=True)


def print_links(found: dict[str, str], browse: bool) -> None:
    """Print the links, a line each, as scripts may read them; open the first one if `browse`."""
    for name, link in found.items():
        print(f"{name}: {link}", flush=True)
    if not found:
        print("harness has recorded no run here yet", file=sys.stderr)
    elif browse:
        webbrowser.open(next(iter(found.values())))


def has_desktop() -> bool:
    """Return True in a terminal on a desktop: no pipe, no CI, no remote shell."""
    near = sys.platform == "darwin" and "SSH_CONNECTION" not in os.environ
    desktop = near or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return desktop and sys.stdout.isatty() and not os.environ.get("CI")
