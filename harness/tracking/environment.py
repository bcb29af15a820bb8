"""MLflow's surroundings while the harness talks to it: quiet, quick to fail, put back after."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# What the user has set stays. A lost answer to a POST that MLflow repeats makes a second run, so
# its own retries are off: a Connection looks first and then tries again.
SETTINGS = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
LEVELS = {"mlflow": logging.CRITICAL, "alembic": logging.WARNING}
_room = threading.RLock()


@contextmanager
def surroundings() -> Iterator[None]:
    """MLflow's settings and log levels as the harness needs them; one thread at a time."""
    with _room:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read once, at import
        missing = {key: value for key, value in SETTINGS.items() if key not in os.environ}
        os.environ.update(missing)
        try:
            import mlflow  # noqa: F401  (it sets its own log level when it is imported)

            with _quiet():
                yield
        finally:
            for key in missing:
                os.environ.pop(key, None)


@contextmanager
def _quiet() -> Iterator[None]:
    if "MLFLOW_LOGGING_LEVEL" in os.environ:
        yield
        return
    before = {name: logging.getLogger(name).level for name in LEVELS}
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
