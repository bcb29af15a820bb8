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
from harness.tracking.links import links
from harness.tracking.read_run import connect_store

HOST, PORT = "127.0.0.1", 5000
START_SECONDS = 120.0  # seconds that the server may take to answer
STOP_SECONDS = 5.0  # seconds that it has to stop
SETTINGS = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven processes that nothing here uses
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def main(arguments: list[str]) -> int:
    """Serve until Ctrl-C, which is the normal end; return the exit code."""
    parser = argparse.ArgumentParser(prog="harness ui", description=__doc__)
    parser.add_argument("--port", type=int, help=f"else the first free one from {PORT}")
    parser.add_argument("--host", default=HOST, help=f"to listen on, else {HOST}")
    parser.add_argument(
        "--allow-remote", action="store_true", help="needed for a --host that others can reach"
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="print the links, and open none of them"
    )
    args = parser.parse_args(arguments)
    browse = has_desktop() and not args.no_browser
    check_host(args.host, args.allow_remote)
    uri = tracking_uri(None, Path.cwd())
    if uri_scheme(uri) in SERVERS:
        print_links(links(connect_store(uri), without_credentials(uri)), browse)
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
    """Whoever reaches the UI may read and delete all that is recorded: it asks for no password."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError as error:
        raise UsageError(f"--host {host}: {error.strerror}") from error
    if all(ip_address(each[4][0]).is_loopback for each in found):
        return
    danger = f"--host {host}: others can reach it, and may read and delete all that is recorded"
    if not allowed:
        raise UsageError(f"{danger}\n--allow-remote serves it all the same")
    print(f"harness: warning: {danger}", file=sys.stderr)


def require_servable(uri: str) -> None:
    """UsageError if there is nothing to show, or nothing that can be served."""
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
    """The port asked for, else the first free one; UsageError if it is not to be had."""
    for port in [asked] if asked is not None else range(PORT, PORT + 100):
        with ExitStack() as held, socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                held.enter_context(reserved_port(port))
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
    """Meanwhile no other `harness ui` of this user takes it; OSError if one has it.

    A server binds its port seconds after it was found free: two that begin at once would meet.
    """
    lock = FileLock(template_path().with_name(f"port-{port}.lock"))
    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise OSError(EADDRINUSE, "another harness ui has it") from None
    except OSError:
        pass  # nothing can be kept there: it has to do without
    try:
        yield
    finally:
        lock.release()


def serve(uri: str, port: int, host: str, browse: bool) -> None:
    """Run the server until a signal comes; TrackingError if it stops by itself."""
    base = f"http://{host}:{port}"
    with TemporaryFile() as output, running_server(uri, port, output, host) as process:
        found = links(connect_store(uri), base)  # while the server starts
        wait_until_it_answers(process, base)
        if process.poll() is None:
            print_links(found, browse)
            print(f"serving {base} (Ctrl-C stops it)", file=sys.stderr, flush=True)
            process.wait()
        output.seek(0)
        raise TrackingError(f"the MLflow server stopped: {last_words(output.read())}")


@contextmanager
def running_server(
    uri: str, port: int, output: IO[bytes], host: str = HOST
) -> Iterator[subprocess.Popen[bytes]]:
    """An MLflow server on the store; it is stopped with all its processes at the end."""
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
    """Who records through this server finds and leaves files where a direct writer does."""
    path = database_file(uri)
    if path is None:
        return {}
    place = artifacts_beside(path)
    return {"MLFLOW_DEFAULT_ARTIFACT_ROOT": place, "MLFLOW_ARTIFACTS_DESTINATION": place}


def stop_server(process: subprocess.Popen[bytes]) -> None:
    """End a server and its processes: politely, then not."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until_it_answers(process: subprocess.Popen[bytes], base: str) -> None:
    """Return when the server is ready, or has stopped; TrackingError if it takes too long."""
    end = time.monotonic() + START_SECONDS
    while process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{base}/health", timeout=5):
            return
        if time.monotonic() > end:
            raise TrackingError(f"the MLflow server does not answer within {START_SECONDS:.0f} s")
        time.sleep(0.2)


def last_words(output: bytes) -> str:
    """The last line of a program that tells of an error."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines()]
    told = [line for line in lines if "error" in line.lower()] or [line for line in lines if line]
    return told[-1][:300] if told else "it said nothing"


def print_links(found: dict[str, str], browse: bool) -> None:
    """The lines that scripts may read; the first link is opened for somebody who looks."""
    for name, link in found.items():
        print(f"{name}: {link}", flush=True)
    if not found:
        print("there is no run of this program yet", file=sys.stderr)
    elif browse:
        webbrowser.open(next(iter(found.values())))


def has_desktop() -> bool:
    """Whether this is a terminal on a desktop: no pipe, no CI, no shell from afar."""
    near = sys.platform == "darwin" and "SSH_CONNECTION" not in os.environ
    desktop = near or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return desktop and sys.stdout.isatty() and not os.environ.get("CI")
