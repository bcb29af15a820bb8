"""A disk that refuses: exit 74, the file is named, and all goes on once there is room."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.tracking.backend import sqlite
from tests.support.crashes import Disturbed

pytestmark = [
    pytest.mark.filterwarnings("ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning")
]
LINE = ("seed=1,2", "epochs=3")


@pytest.mark.parametrize("size", [2_000, 20_000], ids=["the manifest", "the store"])
def test_files_that_may_not_grow_are_disk_trouble_and_the_sweep_goes_on(tmp_path, size):
    sweep = Disturbed(tmp_path / "limited", *LINE)
    going = sweep.start("tests.support.crashes:limit_files", size)
    assert going.wait() == 74, going.said()
    _, err = going.said()
    assert "Traceback" not in err
    assert str(sweep.place) in err
    assert sweep.finish().code == 0
    sweep.check(2)


def test_of_a_run_that_diverged_and_a_disk_that_refuses_the_disk_is_told_by_the_code(tmp_path):
    sweep = Disturbed(tmp_path / "limited", *LINE, "optimizer.learning_rate=1e300")
    going = sweep.start("tests.support.crashes:limit_files", 20_000)
    assert going.wait() == 74, going.said()
    out, err = going.said()
    assert "runs: 0 finished, 2 diverged, 0 failed" in out
    assert "all that is trained is kept" in err


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_folder_that_may_not_be_written_is_disk_trouble(tmp_path):
    sweep = Disturbed(tmp_path / "forbidden", *LINE)
    for folder in (sweep.place, *sweep.place.parents):
        if folder.owner() == "root" and Path("/tmp") in folder.parents:
            folder.chmod(0o755)
    going = sweep.start("tests.support.crashes:be_nobody")
    assert going.wait() == 74, going.said()
    _, err = going.said()
    assert 1 <= len(err.splitlines()) <= 3
    assert str(sweep.place) in err
    assert sweep.finish().code == 0
    sweep.check(2)


class SmallDisk:
    """A disk that is mounted at a folder, and may be given more room."""

    def __init__(self, place):
        self.place = place
        place.mkdir()
        self.mount("size=160k", "-t", "tmpfs")

    def mount(self, options, *how):
        line = ["mount", *how, "-o", options, "small", str(self.place)]
        subprocess.run(line, check=True, capture_output=True, text=True)


@pytest.fixture
def small(tmp_path):
    try:
        disk = SmallDisk(tmp_path / "small")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    yield disk
    subprocess.run(["umount", "-l", disk.place], check=True)


LARGE = ("seed=1,2,3", "model.hidden=[2000]")  # a result takes 65 kB


def test_a_folder_on_a_full_disk_keeps_and_publishes_what_is_whole(tmp_path, small):
    sweep = Disturbed(tmp_path / "place", *LARGE, f"hydra.sweep.dir={small.place}/here")
    sweep.folder = small.place / "here"
    going = sweep.start()
    assert going.wait() == 74, going.said()
    _, err = going.said()
    assert f"harness: cannot write {sweep.folder}/results/" in err
    assert f"2 of 3 runs are done and kept; to go on: harness resume {sweep.folder}" in err
    assert len(sweep.results()) == len([*sweep.folder.glob("results/*")]) == 2
    assert {*sweep.states()} == {"FINISHED", "KILLED"}
    small.mount("remount,size=9m")
    assert sweep.finish().code == 0
    sweep.check(3)


@pytest.mark.parametrize("trouble", ["size=1200k", "size=9m,ro"], ids=["full", "read-only"])
def test_a_store_on_a_disk_that_refuses_costs_no_training(tmp_path, small, trouble):
    small.mount("remount,size=9m")
    sweep = Disturbed(tmp_path / "place", *LARGE, store=small.place / "mlflow.db")
    if "ro" in trouble:
        sqlite.prepare_store(sweep.store)
    small.mount(f"remount,{trouble}")
    going = sweep.start()
    assert going.wait() == 74, going.said()
    _, err = going.said()
    assert f"{sweep.store}: " in err
    assert f"all that is trained is kept: harness resume {sweep.folder}" in err
    assert len(sweep.results()) == 3
    small.mount("remount,rw,size=9m")
    assert sweep.finish().code == 0
    sweep.check(3)
