"""What tests share: configs made by hand, a folder to run in, and which markers a test has."""

import copy
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from harness.tracking.backend.uri import sqlite_uri
from tests.support.browsing import chromium
from tests.support.commands import SHORT, harness, merged
from tests.support.servers import cluster, tracking_server

settings.register_profile("here", deadline=None)  # how long an example takes is the machine's
settings.load_profile("here")

PLAIN: dict[str, Any] = {
    "seed": 0,
    "data_seed": 42,
    "rng": "split",
    "epochs": 10,
    "batch_size": None,
    "dtype": "float64",
    "validation": 0.2,
    "test": 0.0,
    "standardize": None,
    "repeats": 1,
    "penalty": {"l1": 0.0, "l2": 0.0},
    "clip": {"value": None, "norm": None},
    "stopping": {"patience": None, "min_delta": 0.0, "max_seconds": None},
    "objective": {"metric": "val/best_loss", "direction": "minimize"},
    "metrics": None,
    "figures": {"names": [], "members": [], "best": 10, "timeline": False},
    "run": {"timeout": None, "checkpoint_seconds": 30},
    "tracking": {
        "uri": None,
        "experiment": None,
        "run_name": None,
        "tags": {},
        "log_every": 1,
        "metrics_every": None,
        "model": "none",
        "required": False,
    },
    "dataset": {"name": "surface", "samples": 60},
    "model": {"name": "mlp"},
    "activation": {"name": "sigmoid"},
    "optimizer": {"name": "sgd"},
    "loss": {"name": "mse"},
    "initializer": {"name": "normal"},
    "schedule": {"name": "constant"},
}


TESTS = Path(__file__).parent
# The marker of all tests of a folder or a file; single tests are marked where they are.
PLACES = {
    "faults": "fault",
    "tracking/test_publishing_in_time.py": "fault",
    "docs/test_docs.py": "docs",
    "docs/test_packaging.py": "docs",
    "docs/test_presets.py": "docs",
    "docs/test_types.py": "docs",
    "commands/test_new.py": "docs",
    "commands/test_ui.py": "browser",
    "commands/test_old_records.py": "reference",
    "docs/test_benchmarks.py": "reference",
    "plugins/test_references.py": "reference",
}
FIXTURES = {
    "server": "database",
    "server_on_postgresql": "database",
    "postgresql": "database",
    "database": "database",
    "browser": "browser",
}
RUNS = pytest.StashKey[dict[str, set[str]]]()  # by test function: is it of `test`, of `soak`
LONG = ("docs", "fault", "browser")  # these take longest, and begin first


@pytest.hookimpl(tryfirst=True)  # before pytest selects by markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by where they are and what they use, and put the long ones first.

    Workers of pytest-xdist take tests from each other's end: a long one there would be waited for.
    """
    runs = config.stash[RUNS] = {}
    for item in items:
        path = item.path.relative_to(TESTS)
        found = {PLACES.get(path.as_posix()), PLACES.get(path.parts[0])}
        found |= {FIXTURES.get(name) for name in getattr(item, "fixturenames", ())}
        for marker in found - {None}:
            item.add_marker(marker)
        run = "soak" if item.get_closest_marker("soak") else "test"
        runs.setdefault(getattr(item, "originalname", item.name), set()).add(run)
    items.sort(key=lambda item: not any(map(item.get_closest_marker, LONG)))


def make_config(**changes: Any) -> dict[str, Any]:
    """The plain config with some keys changed; `optimizer__learning_rate=1` reaches a field."""
    config = copy.deepcopy(PLAIN)
    for key, value in changes.items():
        group, _, field = key.partition("__")
        if field:
            config[group][field] = value
        else:
            config[group] = value
    return config


@pytest.fixture(autouse=True)
def _quiet_root() -> Iterator[None]:
    """Hydra sets the root logger up; what it writes to is gone after a test."""
    yield
    root = logging.getLogger()
    for handler in [each for each in root.handlers if type(each).__module__ == "logging"]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(logging.WARNING)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty current directory, without MLflow's environment variables."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """One store for many tests: making it takes longer than most of them."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def place(workplace, store, monkeypatch):
    """An empty current directory, where runs are recorded in that store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return workplace


@pytest.fixture
def launched(place, capsys):
    """The folder of a run or sweep that ended well."""

    def run(*arguments, name="here"):
        line = merged(*SHORT, *arguments, f"hydra.run.dir={name}", f"hydra.sweep.dir={name}")
        code, out, err = harness(capsys, *line)
        assert code == 0, err
        assert f"folder: {place / name}\n" in out
        return place / name

    return run


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A real tracking server for many tests, artifacts through it."""
    with tracking_server(tmp_path_factory.mktemp("server")) as uri:
        yield uri


@pytest.fixture(scope="session")
def server_on_postgresql(tmp_path_factory, postgresql):
    """The same, with a database of its own behind it."""
    folder = tmp_path_factory.mktemp("behind")
    with tracking_server(folder, postgresql.database("behind")) as uri:
        yield uri


@pytest.fixture(scope="session")
def postgresql():
    """A real PostgreSQL server of the tests' own."""
    with cluster() as server:
        yield server


@pytest.fixture(scope="session")
def database(postgresql):
    """The address of one database in it, for many tests: MLflow's tables take seconds to make."""
    return postgresql.database("runs")


@pytest.fixture(scope="session")
def browser():
    """A real browser; each test opens pages of its own."""
    with chromium() as launched:
        yield launched


SERVERS = ("server", "database", "server_on_postgresql")


@pytest.fixture(
    params=["sqlite", *(pytest.param(name, marks=pytest.mark.database) for name in SERVERS)]
)
def uri(request, workplace):
    """Each kind of store in turn: a new file, or one that others record in too."""
    if request.param == "sqlite":
        return sqlite_uri(workplace / "mlflow.db")
    return request.getfixturevalue(request.param)
