"""Many programs that record in one store at once, and one that keeps the store to itself."""

import sqlite3
import time
from collections import Counter
from contextlib import closing

from mlflow import MlflowClient

from harness.tracking.backend import sqlite
from harness.tracking.backend.uri import sqlite_uri
from tests.support import forks
from tests.support.commands import SHORT, variables
from tests.support.recorded import QUIET

pytestmark = QUIET
EIGHT = range(8)


def recorded(uri, experiment):
    """The runs of an experiment, and the seeds of those that have ended well."""
    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id])
    roles = Counter((run.data.tags["harness.role"], run.info.status) for run in runs)
    return roles, sorted(int(run.data.params["seed"]) for run in runs if "seed" in run.data.params)


def test_eight_sweeps_at_once_record_each_run_once(uri, workplace, request):
    if uri.startswith("postgresql"):  # one without MLflow's tables: they begin it together
        uri = request.getfixturevalue("postgresql").database(workplace.name)
    env = variables(
        MLFLOW_TRACKING_URI=uri,
        MLFLOW_EXPERIMENT_NAME=workplace.name,
        XDG_CACHE_HOME=str(workplace / "cache"),  # and a store that is new has no template
    )
    line = ["-m", *SHORT]
    sweeps = [
        forks.start(*line, f"seed={n},{n + 8}", f"hydra.sweep.dir={n}", cwd=workplace, env=env)
        for n in EIGHT
    ]
    codes = {sweep: sweep.wait(300) for sweep in sweeps}
    assert not any(codes.values()), [sweep.said() for sweep in sweeps if codes[sweep]]
    roles, seeds = recorded(uri, workplace.name)
    assert roles == {("sweep", "FINISHED"): 8, ("run", "FINISHED"): 16}
    assert seeds == [*range(16)]


def test_while_another_program_locks_the_store_training_goes_on(workplace):
    """Which holds it until all is trained; nobody is told, for all is published in the end."""
    sqlite.prepare_store(workplace / "mlflow.db")
    with closing(sqlite3.connect(workplace / "mlflow.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        line = ["-m", "seed=1,2", *SHORT, "hydra.sweep.dir=here"]
        sweep = forks.start(*line, cwd=workplace, env=variables())
        end = time.monotonic() + 120
        while len([*(workplace / "here" / "results").glob("*.npz")]) < 2:
            assert time.monotonic() < end, sweep.said()
            time.sleep(0.05)
        other.execute("ROLLBACK")
    assert sweep.wait() == 0, sweep.said()
    assert "locked" not in "".join(sweep.said())
    assert "not published" not in "".join(sweep.said())
    roles, seeds = recorded(sqlite_uri(workplace / "mlflow.db"), "harness")
    assert roles == {("sweep", "FINISHED"): 1, ("run", "FINISHED"): 2}
    assert seeds == [1, 2]
