"""The program as a process of its own, forked from one that has imported the heavy libraries.

`python -m tests.support.forks SOCKET` is that one. It imports nothing of harness, runs no thread
and opens no connection, so that what it forks is as good as new, but for the seconds that imports
take.
"""

import atexit
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
from functools import cache
from importlib import import_module, invalidate_caches
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

HEAVY = (
    "alembic.command", "filelock", "hydra._internal.hydra", "hydra._internal.utils",
    "hydra.core.plugins", "loky.process_executor", "matplotlib.backends.backend_agg",
    "matplotlib.figure", "mlflow", "mlflow.data.numpy_dataset", "mlflow.models", "mlflow.pyfunc",
    "mlflow.store.db.utils", "mlflow.store.tracking.sqlalchemy_store", "optuna", "pandas",
    "PIL.Image", "rich.progress", "scipy.special", "sklearn", "sqlalchemy.dialects.sqlite",
    "threadpoolctl",
)  # fmt: skip
NO_THREADS = {
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OPENBLAS_NUM_THREADS": "1",
}


class Forked:
    """A process, child of another than ours, in a session of its own."""

    def __init__(self, server: Path, asked: dict[str, Any]) -> None:
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(str(server))
        self._line.sendall(json.dumps(asked).encode() + b"\n")
        self.pid, self.code, self._files = int(self._line.recv(16)), None, asked["files"]

    def wait(self, seconds: float = 120) -> int:
        """Its exit code, or the negative number of the signal that killed it."""
        if self.code is None:
            self._line.settimeout(seconds)
            self.code = os.waitstatus_to_exitcode(int(self._line.recv(16)))
            self._line.close()
        return self.code

    def signal(self, number: int, group: bool = True) -> None:
        """To it and all its children, as a terminal does, or to it alone."""
        (os.killpg if group else os.kill)(self.pid, number)

    def said(self) -> tuple[str, str]:
        """What it has printed until now, on both streams."""
        out, err = (Path(path).read_text(encoding="utf-8") for path in self._files)
        return out, err


def start(*arguments: str, cwd: Path, env: dict[str, str], before: tuple[Any, ...] = ()) -> Forked:
    """Start `harness ARGUMENTS`; `before` is called first there: `module:function`, arguments."""
    server, number = _server(env.get("OPENBLAS_CORETYPE", ""))
    files = [str(server.with_name(f"{next(number)}.{stream}")) for stream in ("out", "err")]
    asked = {"arguments": arguments, "cwd": str(cwd), "env": env, "before": before}
    return Forked(server, asked | {"files": files})


def command(python: Path, packages: Path, script: bool = False) -> str:
    """Return a script that is `harness` where these packages are installed, besides ours.

    With `script` it is `python` instead, and runs the file that is its first argument.
    """
    server, _ = _server()
    return f"""#!{python} -IS
import json, os, socket, sys
files = [f"/proc/{{os.getpid()}}/fd/{{number}}" for number in (1, 2)]
asked = {{"arguments": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ)}}
asked["script"] = {script}
with socket.socket(socket.AF_UNIX) as line:
    line.connect({str(server)!r})
    before = ["site:addsitedir", {str(packages)!r}]
    line.sendall(json.dumps(asked | {{"files": files, "before": before}}).encode() + b"\\n")
    line.recv(16)
    sys.exit(os.waitstatus_to_exitcode(int(line.recv(16))))
"""


_KEPT: list[Any] = []  # servers end when their stdin does, and that is open while they are here


@cache
def _server(core: str = "") -> tuple[Path, "count[int]"]:
    """Return the address of this process's server, and a counter for names of files.

    It ends with this process. A type of core must be asked for before NumPy is imported.
    """
    folder = TemporaryDirectory(prefix="forks")
    address = Path(folder.name, "socket")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "COV_"))}
    line = [sys.executable, "-m", "tests.support.forks", str(address)]
    root = Path(__file__).parents[2]
    env = kept | NO_THREADS | ({"OPENBLAS_CORETYPE": core} if core else {})
    process = subprocess.Popen(line, cwd=root, env=env, stdin=-1, stdout=-1)
    _KEPT.append((folder, process))
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return address, count()


def serve(address: str) -> None:
    """Fork when asked to, tell how each ended, until whoever started this is gone."""
    for name in HEAVY:
        import_module(name)
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake.fileno())
    ready = selectors.DefaultSelector()
    for file in (sys.stdin, listener, woken):
        ready.register(file, selectors.EVENT_READ)
    lines: dict[int, socket.socket] = {}
    print("ready", flush=True)
    while sys.stdin not in (asking := [key.fileobj for key, _ in ready.select()]):
        if woken in asking:
            woken.recv(4096)
            reap(lines)
        if listener in asking:
            line, _ = listener.accept()
            if (pid := os.fork()) == 0:
                become(line)
            lines[pid] = line
    for pid in lines:
        os.killpg(pid, signal.SIGKILL)


def reap(lines: dict[int, socket.socket]) -> None:
    """Tell of those that have ended."""
    for pid in [*lines]:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with lines.pop(pid) as line:
                line.sendall(b"%d" % status)


def become(line: socket.socket) -> NoReturn:
    """In the child: be what was asked for, as if just started; it never returns."""
    with line, line.makefile() as file:
        asked = json.loads(file.readline())
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        line.sendall(b"%d" % os.getpid())
    mine, theirs = (e.get("PYTHONPATH", "").split(":") for e in (os.environ, asked["env"]))
    sys.path[:] = [asked["cwd"], *theirs, *(path for path in sys.path[1:] if path not in mine)]
    sys.argv = [*([] if asked.get("script") else ["harness"]), *asked["arguments"]]
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    say_into(*asked["files"])
    invalidate_caches()
    end(exit_code(asked))


def exit_code(asked: dict[str, Any]) -> int:
    """Run the program to its end and return its exit code, as Python would."""
    try:
        if asked["before"]:
            where, *arguments = asked["before"]
            module, _, name = where.partition(":")
            getattr(import_module(module), name)(*arguments)
        if asked.get("script"):
            runpy.run_path(sys.argv[0], run_name="__main__")
        else:
            runpy.run_module("harness", run_name="__main__", alter_sys=True)
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return int(error.code or 0) if not isinstance(error.code, str) else 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def end(code: int) -> NoReturn:
    """End this process with all that Python does then, but for freeing every module.

    That takes 0.13 s of CPU, of 0.17 s for `harness --version`, and is nothing that a user sees.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120  # so does Python
    os._exit(code)


def say_into(*files: str) -> None:
    """Print there from now on: a file, or a terminal, for each of both streams."""
    for target, path in enumerate((os.devnull, *files)):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(handle, target)
        os.close(handle)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(target, "w" if target else "r", 1 if target == 2 else -1, closefd=False)
        for target in range(3)
    )


if __name__ == "__main__":
    serve(sys.argv[1])
