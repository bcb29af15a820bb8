"""Where a search is kept: no password is recorded, and faults and company do it no harm."""

import os
import shlex
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import optuna
import pytest

from harness.sweeps.search import storage
from tests.support import forks
from tests.support.commands import (
    SHORT,
    closing_lines,
    harness,
    manifest,
    merged,
    refused,
    variables,
)
from tests.support.searches import OPTUNA, RATE, search

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow",
    "ignore:::sqlalchemy",
    "ignore:::optuna",
    "ignore::ResourceWarning",
)
PASSWORD = "sesame-4711"
AWAY = "127.0.0.1:9/studies"  # nobody answers there


def stored(url, *more):
    return ["-m", "hydra/sweeper=optuna", f"hydra.sweeper.storage='{url}'", RATE, *more]


def database(path, statement):
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


def bytes_below(folder):
    """Return what is in all files, read by another process.

    The store is open here: a process that itself opens and closes a file of SQLite's loses its
    locks on it, and the next program that closes the store takes its log away.
    """
    files = [str(path) for path in folder.rglob("*") if path.is_file()]
    return subprocess.run(["cat", "--", *files], stdout=subprocess.PIPE, check=True).stdout


def test_a_password_from_the_environment_is_recorded_nowhere(place, store, monkeypatch):
    url = f"sqlite:///file:{place}/studies.db?uri=true&password={PASSWORD}"
    monkeypatch.setenv("STORAGE", url)
    result = search(RATE, "hydra.sweeper.storage='${oc.env:STORAGE}'", "hydra.sweeper.n_trials=2")
    assert len(optuna.load_study(study_name=result.sweep_id, storage=url).trials) == 2
    assert manifest(result.directory)["search"]["storage"] == "${oc.env:STORAGE}"
    records = bytes_below(result.directory) + bytes_below(Path(store[len("sqlite:///") :]).parent)
    assert b"oc.env:STORAGE" in records
    assert PASSWORD.encode() not in records


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{PASSWORD}@{AWAY}",
        f"mariadb+pymysql://me:{PASSWORD}@{AWAY}",
        f"postgresql://{AWAY}?user=me&password={PASSWORD}",
        f'${{oc.env:NOT_SET,"postgresql://me:{PASSWORD}@{AWAY}"}}',
    ],
)
def test_a_password_on_the_command_line_is_refused(workplace, capsys, url):
    said = refused(capsys, *stored(url))
    assert "hydra.sweeper.storage: the password in it would be recorded" in said
    assert "${oc.env:PASSWORD}" in said
    assert PASSWORD not in said


def test_a_database_out_of_reach_is_told_before_anything_is_made(workplace, capsys, monkeypatch):
    monkeypatch.setenv("PASSWORD", PASSWORD)
    done = harness(capsys, *stored(f"postgresql://me:${{oc.env:PASSWORD}}@{AWAY}"))
    assert (done.code, done.out) == (75, "")
    assert done.err.startswith(f"harness: hydra.sweeper.storage=postgresql://{AWAY}: ")
    assert PASSWORD not in done.err
    assert [*workplace.iterdir()] == []


def test_no_address_of_a_database_is_refused(workplace, capsys):
    assert "hydra.sweeper.storage=nowhere: " in refused(capsys, *stored("nowhere"))


@pytest.mark.fault
def test_many_may_begin_at_once_with_a_database_that_is_not_there_yet(tmp_path):
    for number in range(3):
        path = tmp_path / f"{number}.db"
        url = f"sqlite:///{path}"
        with ThreadPoolExecutor(4) as at_once:
            storages = [*at_once.map(storage.open_database, [url] * 4)]
        assert [storage.get_all_studies() for storage in storages] == [[]] * 4
        assert len(database(path, "SELECT * FROM version_info")) == 1


@pytest.mark.fault
def test_two_programs_at_once_share_the_trials_of_a_study(place, store):
    url, env = f"sqlite:///{place}/shared.db", variables(MLFLOW_TRACKING_URI=store)
    more = ("hydra.sweeper.n_trials=12", "hydra.sweeper.n_jobs=1", "hydra.sweeper.study_name=s")
    line = merged(*stored(url, *more), *SHORT)
    two = [
        forks.start(*line, f"hydra.sweep.dir={name}", cwd=place, env=env) for name in ("a", "b")
    ]
    assert [each.wait(300) for each in two] == [0, 0], [each.said() for each in two]
    trials = optuna.load_study(study_name="s", storage=url).trials
    assert 12 <= len(trials) <= 13  # the last of one may be in hand while the other asks


def test_a_study_that_looks_for_something_else_is_refused(workplace, capsys):
    url = f"sqlite:///{workplace}/studies.db"
    optuna.create_study(storage=url, study_name="mine", direction="maximize")
    said = refused(capsys, *stored(url, "hydra.sweeper.study_name=mine"))
    assert "hydra.sweeper.study_name=mine: that study's directions are ['maximize']" in said


@pytest.mark.fault
def test_a_database_that_fails_in_the_middle_costs_nothing_that_is_trained(place, capsys):
    path = place / "studies.db"
    url = f"sqlite:///{path}"
    optuna.create_study(storage=url, study_name="mine")
    database(
        path,
        "CREATE TRIGGER fault AFTER INSERT ON trials WHEN (SELECT count(*) FROM trials) > 3 "
        "BEGIN SELECT json('none' || NEW.trial_id); END",
    )
    kept = f"hydra.sweeper.storage='{url}'", "hydra.sweeper.study_name=mine"
    amount = "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=1"
    done = harness(capsys, *merged("-m", *OPTUNA, RATE, *kept, *amount))
    assert done.code == 75, done.err
    error, advice = done.err.strip().splitlines()[-2:]
    assert error.startswith("harness: hydra.sweeper.storage: (sqlite3.OperationalError) malf")
    before = {path.name: path.read_bytes() for path in (place / "here/results").iterdir()}
    assert len(before) == 3
    command = f"harness resume {shlex.quote(str(place / 'here'))}"
    assert advice == f"  3 of 6 runs are done and kept; to go on: {command}"
    database(path, "DROP TRIGGER fault")
    again = harness(capsys, *shlex.split(command)[1:])
    assert again.code == 0, again.err
    assert closing_lines(again.out)["runs"] == "6 finished, 0 diverged, 0 failed"
    after = {path.name: path.read_bytes() for path in (place / "here/results").iterdir()}
    assert len(after) == 6
    assert before.items() <= after.items()
    told = optuna.load_study(study_name="mine", storage=url).get_trials()
    assert [trial.state.name for trial in told] == ["COMPLETE"] * 6


@pytest.mark.fault
def test_two_resumes_at_once_of_a_killed_search_do_it_once_and_ask_for_no_more(place, capsys):
    line = merged("-m", *OPTUNA, RATE, "epochs=4000", "hydra.sweeper.n_trials=8")
    going = forks.start(*line, "hydra.sweeper.n_jobs=2", cwd=place, env=dict(os.environ))
    results = place / "here/results"
    for _ in range(600):
        if len([*results.glob("*.npz")]) >= 3:
            break
        time.sleep(0.05)
    going.signal(signal.SIGKILL)
    assert going.wait() == -signal.SIGKILL
    before = {path.name: path.read_bytes() for path in results.glob("*.npz")}
    assert 3 <= len(before) < 8
    with (place / "here/trials.jsonl").open("a") as log:
        log.write('{"op_code":5,"worker_id":"torn')
    resume = "resume", str(place / "here")
    both = [forks.start(*resume, cwd=place.parent, env=variables()) for _ in range(2)]
    assert [each.wait() for each in both] == [0, 0], [each.said() for each in both]
    after = {path.name: path.read_bytes() for path in results.glob("*.npz")}
    assert before.items() <= after.items()
    assert len(after) == 8
    again = harness(capsys, *resume)
    assert all(each.said()[0].endswith(again.out) for each in both)
    assert closing_lines(again.out)["runs"] == "8 finished, 0 diverged, 0 failed"
