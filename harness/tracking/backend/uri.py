"""The address of the MLflow store, and the name of the experiment."""

import os
import posixpath
import re
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from harness.config.record import resolve_environment
from harness.errors import UsageError
from harness.store.manifest import Manifest

SERVERS = ("http", "https")
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
HOSTED = ("databricks", "databricks-uc", "uc")
DEFAULT_EXPERIMENT = "harness"
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)([^?]*)(.*)", re.DOTALL)


def tracking_uri(asked: str | None, cwd: Path) -> str:
    """Return the store's address: `asked`, MLFLOW_TRACKING_URI, or `mlflow.db` in `cwd`.

    Paths are returned absolute. Raises UsageError if no such store can be used.
    """
    uri = asked or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    source = "tracking.uri" if asked else "MLFLOW_TRACKING_URI"
    kind = uri_scheme(uri)
    if kind == "sqlite":
        return _absolute(uri, cwd, source)
    if kind in ("", "file"):
        return _folder(uri, kind, cwd, source)
    if kind in SERVERS and not urlsplit(uri).hostname:
        raise UsageError(f"{source}={uri}: no host in it; for example http://127.0.0.1:5000")
    known = (*SERVERS, *DATABASES, *HOSTED)
    if kind not in known and kind not in entry_points(group="mlflow.tracking_store").names:
        raise UsageError(
            f"{source}={without_credentials(uri)}: no kind of store is called {kind!r}\n"
            f"allowed: {', '.join(f'{name}://' for name in known[:-1])}"
        )
    return uri


def experiment_name(asked: str | None) -> str:
    """Return the experiment's name: `asked`, MLFLOW_EXPERIMENT_NAME, or `harness`."""
    return asked or os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT


def without_credentials(uri: str) -> str:
    """Return the address without user and password, fit for a file or a screen."""
    if uri_scheme(uri) in SERVERS:
        parts = urlsplit(uri)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    if not _SQLITE.match(uri):
        uri = re.sub(r"^([^:]+://)[^/:@]*(?::[^@]*)?@", r"\1", uri)
        uri = re.sub(r"(?<=[?&])(?:user|password|passwd|pwd)=[^&]*&?", "", uri).rstrip("?&")
    return uri


def has_password(uri: str) -> bool:
    """Return whether an address contains a password."""
    user = uri.partition("://")[2].partition("/")[0].rpartition("@")[0]
    return ":" in user or without_credentials(uri).partition("?")[2] != uri.partition("?")[2]


def database_file(uri: str) -> Path | None:
    """Return the file of a SQLite store; None if the store is of another kind."""
    match = _SQLITE.match(uri)
    return Path(unquote(match[2])) if match else None


def sqlite_uri(path: Path) -> str:
    """Return the address of a store in a file; its absolute path may have any characters."""
    return f"sqlite:///{_quoted(path)}"


def uri_scheme(uri: str) -> str:
    """Return `sqlite`, `http`, … in lower case and without a driver; empty for a bare path."""
    if uri in HOSTED:
        return uri
    kind = re.match(r"([A-Za-z][\w+.-]*):", uri)
    return kind[1].lower().partition("+")[0] if kind else ""


def _absolute(uri: str, cwd: Path, source: str) -> str:
    match = _SQLITE.match(uri)
    if match is None or match[2] in ("", ":memory:"):
        raise UsageError(f"{source}={uri}: no file in it; for example sqlite:///mlflow.db")
    path = posixpath.join(_quoted(cwd.absolute()), match[2])
    return f"{match[1]}{posixpath.normpath(path)}{match[3]}"


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3F")


def _folder(uri: str, kind: str, cwd: Path, source: str) -> str:
    if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() not in ("true", "1"):
        raise UsageError(
            f"{source}={uri}: MLflow no longer keeps runs in a plain folder\n"
            "use a file like sqlite:///mlflow.db, or a server like http://127.0.0.1:5000"
        )
    return uri if kind else (cwd.absolute() / uri).as_uri()


def sweep_store_uri(manifest: Manifest) -> str:
    """Return the address of a sweep's store, with the credentials that the environment has."""
    for asked in (manifest.tracking.get("uri"), None):  # as planned, and as for a new run
        with suppress(UsageError):
            uri = tracking_uri(resolve_environment({"uri": asked})["uri"], Path(manifest.cwd))
            if without_credentials(uri) == manifest.tracking_uri:
                return uri
    return manifest.tracking_uri
