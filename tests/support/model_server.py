"""A saved model as a server: `mlflow models serve` in an environment that has what it needs."""

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import free_port

READY_SECONDS = 90


def answer(
    python: Path, model: str, question: dict[str, Any], folder: Path, env: Mapping[str, str]
) -> list[dict[str, float]]:
    """Serve a model, ask it once, and return its predictions; fail with what the server prints."""
    port, printed = free_port(), folder / "model-server.txt"
    line = [str(python), "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    with printed.open("w") as output:
        server = subprocess.Popen(
            [*line, "-m", model, "--port", str(port), "--workers", "1"],
            cwd=folder,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        found: list[dict[str, float]] = _ask(f"http://127.0.0.1:{port}", question, server)
    except OSError:
        pytest.fail(printed.read_text())
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, 15)
        server.wait(30)
    return found


def _ask(base: str, question: dict[str, Any], server: "subprocess.Popen[bytes]") -> Any:
    """Return the predictions of a server once it is ready; OSError if it does not answer."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{base}/ping", timeout=5):
            break
        time.sleep(0.2)
    content, headers = json.dumps(question).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{base}/invocations", content, headers)
    with urllib.request.urlopen(request, timeout=30) as answered:
        return json.load(answered)["predictions"]
