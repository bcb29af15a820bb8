"""The address of the MLflow store, and the name of the experiment."""

import os
import posixpath
import re
from contextlib import suppress
from contextvars import ContextVar
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import unquote, urlsplit

from harness.config.record import resolve_environment
from harness.errors import UsageError
from harness.store.manifest import Manifest

SERVERS = ("http", "https")
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
HOSTED = ("databricks", "databricks-uc", "uc")
DEFAULT_EXPERIMENT = "harness"
# The address with a password that this thread's run was given, which no file may hold. Processes
# that a launcher starts get it by a variable, which this process has only while it starts them.
ADDRESS = "HARNESS_TRACKING_URI"
own_address: ContextVar[str | None] = ContextVar("own_address", default=None)
_USER = re.compile(r"^([^:/]+://)([^/:@]*(?::[^@]*)?)@")
_SERVER_USER = re.compile(r"^([^:/]+://)([^/@]*|[^/:@]*:(?!\d+(?:/|$))[^@]*)@")
_SECRET = re.compile(
    r"(?<=[?&])[^=&]*(?:user|pass(?:word|wd)|pwd|token|secret)[^=&]*=[^&]*&?", re.IGNORECASE
)
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
        public = without_credentials(uri)
        raise UsageError(f"{source}={public}: no host in it; for example http://127.0.0.1:5000")
    known = (*SERVERS, *DATABASES, *HOSTED)
    if kind not in known and kind not in entry_points(group="mlflow.tracking_store").names:
        raise UsageError(
            f"{source}={kind}:…: no kind of store is called {kind!r}\n"
            f"allowed: {', '.join(f'{name}://' for name in known[:-1])}"
        )
    return uri


def experiment_name(asked: str | None) -> str:
    """Return the experiment's name: `asked`, MLFLOW_EXPERIMENT_NAME, or `harness`."""
    return asked or os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT


def without_credentials(uri: str) -> str:
    """Return the address without user and password, fit for a file or a screen."""
    found = _user(uri)
    public = uri if found is None else found[1] + uri[found.end() :]
    return _SECRET.sub("", public).rstrip("?&") if _SECRET.search(public) else public


def has_credentials(uri: str) -> bool:
    """Return whether an address has a password, or the user of a server: perhaps a token."""
    found = _user(uri)
    secret = found is not None and (":" in found[2] or uri_scheme(uri) in SERVERS)
    return secret or _SECRET.search(uri) is not None


def _user(uri: str) -> re.Match[str] | None:
    """Match an address up to the end of its user and password, if it has them."""
    if _SQLITE.match(uri):
        return None
    return (_SERVER_USER if uri_scheme(uri) in SERVERS else _USER).match(uri)


def database_file(uri: str) -> Path | None:
    """Return the file of a SQLite store; None if the store is of another kind."""
    match = _SQLITE.match(uri)
    return Path(unquote(match[2])) if match else None


def file_path(uri: str) -> Path | None:
    """Return the path that a `file:` address names; None for another address."""
    return Path(unquote(urlsplit(uri).path)) if uri_scheme(uri) == "file" else None


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
    if (own := own_address.get()) is not None:
        return own
    for asked in (manifest.tracking.get("uri"), None):  # as planned, and as for a new run
        with suppress(UsageError):
            uri = tracking_uri(resolve_environment({"uri": asked})["uri"], Path(manifest.cwd))
            if without_credentials(uri) == manifest.tracking_uri:
                return uri
    return manifest.tracking_uri
