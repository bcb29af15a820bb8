"""Environment variables and log levels for calls to MLflow: quiet, and quick to fail."""

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Variables that the user has set stay. MLflow's own retries are off: it would repeat a POST whose
# answer was lost, and make a second run. A Connection looks for the first before it tries again.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # read once, at import
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # shown wherever tqdm is installed
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "PGCONNECT_TIMEOUT": "10",
}
LEVELS = {"mlflow": logging.CRITICAL, "alembic": logging.WARNING}
_lock, _inside = threading.RLock(), False


@contextmanager
def mlflow_settings() -> Iterator[None]:
    """Context manager: MLflow's settings and log levels as the harness needs them, then as before.

    One thread at a time. Inside of another it does nothing, for each change of a level makes
    Python forget which messages every logger lets pass.
    """
    global _inside
    with _lock:
        if _inside:
            yield
            return
        missing = {key: value for key, value in SETTINGS.items() if key not in os.environ}
        os.environ.update(missing)
        try:
            _import_mlflow()  # which sets its own log level
            with _quiet():
                _inside = True
                yield
        finally:
            _inside = False
            for key in missing:
                os.environ.pop(key, None)


def _import_mlflow() -> None:
    """Import MLflow, without tqdm's warning in notebooks that lack its widgets."""
    if "mlflow" in sys.modules:
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")
        import mlflow  # noqa: F401


@contextmanager
def _quiet() -> Iterator[None]:
    """Context manager: raise the log levels of LEVELS, unless the user has set MLflow's."""
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
