"""MLflow's surroundings while the harness talks to it: quiet, quick to fail, put back after."""

import gc
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# What the user has set stays. A lost answer to a POST that MLflow repeats makes a second run, so
# its own retries are off: a Connection looks first and then tries again.
SETTINGS = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # which it shows wherever tqdm is installed
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "PGCONNECT_TIMEOUT": "10",
}
LEVELS = {"mlflow": logging.CRITICAL, "alembic": logging.WARNING}
ALLOCATIONS = 5_000  # between two collections: about 1 MB, which a cache holds
_room, _inside = threading.RLock(), False


@contextmanager
def mlflow_settings() -> Iterator[None]:
    """MLflow's settings and log levels as the harness needs them; one thread at a time.

    Inside of another it is free: changing a level makes Python forget what every logger lets pass.
    """
    global _inside
    with _room:
        if _inside:
            yield
            return
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read once, at import
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
    """The first import, without what tqdm says of it in notebooks that lack its widgets."""
    if "mlflow" in sys.modules:
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")
        import mlflow  # noqa: F401


@contextmanager
def rare_collections() -> Iterator[None]:
    """Python looks for garbage in cycles less often: that is 5 to 10 % of publishing's time.

    MLflow makes thousands of objects a run, and they are freed without that.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], ALLOCATIONS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


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
