"""A disk that refuses: exit 74, the file is named, and all goes on once there is room."""

import os
from pathlib import Path

import pytest

from tests.crashes import Disturbed

pytestmark = [
    pytest.mark.filterwarnings("ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning")
]
LINE = ("seed=1,2", "epochs=3")


@pytest.mark.parametrize("size", [2_000, 20_000], ids=["the manifest", "the store"])
def test_files_that_may_not_grow_are_disk_trouble_and_the_sweep_goes_on(tmp_path, size):
    sweep = Disturbed(tmp_path / "limited", *LINE)
    going = sweep.start("tests.crashes:limit_files", size)
    assert going.wait() == 74, going.said()
    _, err = going.said()
    assert "Traceback" not in err
    assert str(sweep.place) in err
    assert sweep.finish().code == 0
    sweep.check(2)


def test_of_a_run_that_diverged_and_a_disk_that_refuses_the_disk_is_told_by_the_code(tmp_path):
    sweep = Disturbed(tmp_path / "limited", *LINE, "optimizer.learning_rate=1e300")
    going = sweep.start("tests.crashes:limit_files", 20_000)
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
    going = sweep.start("tests.crashes:be_nobody")
    assert going.wait() == 74, going.said()
    _, err = going.said()
    assert 1 <= len(err.splitlines()) <= 3
    assert str(sweep.place) in err
    assert sweep.finish().code == 0
    sweep.check(2)
