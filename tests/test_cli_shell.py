"""In a shell: pipes, closed streams, narrow terminals, two at a time, and tab completion."""

import os
import pty
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from harness.commands.signals import tidy_signals
from tests.support import forks
from tests.support.commands import SHORT, harness, harness_afresh, listing, merged, variables
from tests.support.recorded import client_and_runs

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
PROGRAM = [sys.executable, "-m", "harness"]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize("arguments", [["plugins"], ["--help"]], ids=str)
def test_a_reader_that_leaves_early_is_no_error(workplace, arguments):
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(workplace, closed):
    line = f'"{sys.executable}" -m harness plugins {closed}'
    assert subprocess.run(["sh", "-c", line], stdout=subprocess.DEVNULL).returncode == 0


def test_a_terminal_that_knows_few_characters_gets_what_it_can(workplace):
    done = harness_afresh(
        "plugins", "activation", "swish", cwd=workplace, PYTHONIOENCODING="ascii"
    )
    assert (done.code, done.err) == (0, "")
    assert r"\u03c3" in done.out


def test_a_run_on_a_narrow_terminal_ends_with_the_same_lines(workplace, capsys, monkeypatch):
    mine, theirs = pty.openpty()
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(theirs, "w") as terminal, os.fdopen(mine, "rb"):
        monkeypatch.setattr(sys, "stderr", terminal)
        code, out, _ = harness(capsys, *SHORT)
    keys = [line.partition(": ")[0] for line in out.splitlines()]
    assert (code, keys) == (0, ["runs", "best", "record", "folder", "look"])


@pytest.mark.fault
def test_a_terminal_that_is_closed_ends_a_sweep_tidily(place):
    mine, theirs = pty.openpty()
    line = merged("-m", *SHORT, "epochs=1,100000000", "hydra.sweep.dir=here")
    before = ("tests.support.forks:say_into", *[os.ttyname(theirs)] * 2)
    sweep = forks.start(*line, cwd=place, env=dict(os.environ), before=before)
    while not [*place.glob("here/results/*.npz")]:
        with pytest.raises(TimeoutError):
            sweep.wait(0.1)
    os.close(theirs)
    os.close(mine)
    assert sweep.wait() == 143
    uri = os.environ["MLFLOW_TRACKING_URI"]
    states = {
        role: [run.info.status for run in client_and_runs(uri, place / "here", role)[1]]
        for role in ("sweep", "run")
    }
    assert states["sweep"] == ["KILLED"]
    assert {"FINISHED"} <= {*states["run"]} <= {"FINISHED", "KILLED"}


@pytest.fixture
def left():
    """Sets what SIGHUP does when the program starts, however these tests were started."""
    before = signal.getsignal(signal.SIGHUP)
    yield partial(signal.signal, signal.SIGHUP)
    signal.signal(signal.SIGHUP, before)


def test_a_shell_that_is_left_says_so_more_than_once(left):
    left(signal.SIG_DFL)
    with tidy_signals():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGHUP)
        assert signal.raise_signal(signal.SIGHUP) is None


def test_under_nohup_a_closed_terminal_is_ignored(left):
    left(signal.SIG_IGN)
    with tidy_signals():
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


@pytest.mark.fault
def test_two_sweeps_started_at_once_in_one_folder_do_not_meet(workplace):
    line = ["-m", "seed=1,2", *SHORT]
    both = [forks.start(*line, cwd=workplace, env=variables()) for _ in range(2)]
    codes = [process.wait() for process in both]
    told = [process.said() for process in both]
    assert codes == [0, 0], told
    for out, _ in told:
        assert "runs: 2 finished, 0 diverged, 0 failed" in out
    folders = {line for out, _ in told for line in out.splitlines() if line.startswith("folder")}
    records = {line for out, _ in told for line in out.splitlines() if line.startswith("record")}
    assert len(folders) == len(records) == 2


@pytest.fixture
def complete(workplace, capsys, monkeypatch):
    """What is offered after a line, as Hydra's script for bash asks for it."""

    def ask(line):
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setenv("COMP_POINT", str(len(line)))
        code, out, err = harness(capsys, "-sc", "query=bash")
        assert (code, err) == (0, "")
        return out.split()

    return ask


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("harness activation=si", ["activation=sigmoid", "activation=sine"]),
        ("harness train activation=sw", ["activation=swish"]),
        ("harness -m seed=1,2 activation=t", ["activation=tanh"]),
        ("harness model.hi", ["model.hidden."]),
        ("harness model=linear model.hi", []),
        ("harness activation=leaky_relu activation.s", ["activation.slope="]),
        ("harness optimizer.learning_rate=", ["optimizer.learning_rate=0.05"]),
        ("harness experiment=no", ["experiment=notebook"]),
        ("harness epo", ["epochs="]),
        ("harness pl", ["plugins"]),
        ("harness ne", ["new"]),
        ("harness new act", []),
        ("harness plugins act", []),
        ("harness resume ", []),
        ("harness explain activation=sw", ["activation=swish"]),
        ("harness repro", ["reproduce"]),
        ("harness activation=nonsense model.", []),
        ("harness -m hydra/launcher=st", ["hydra/launcher=stack"]),
    ],
)
def test_completion_offers_what_can_follow(complete, line, offered):
    assert complete(line) == offered


def test_completion_begins_with_commands_groups_and_settings(complete):
    offered = complete("harness ")
    assert {"train", "plugins", "resume", "ui", "activation=", "epochs="} <= {*offered}


def test_files_are_completed(complete, workplace):
    (workplace / "data.csv").write_text("")
    assert complete("harness dataset=csv dataset.path=./da") == ["dataset.path=./data.csv"]


@pytest.mark.docs
def test_the_script_for_bash_works_in_bash(workplace):
    script = """
    eval "$(harness -sc install=bash)" || exit 1
    complete -p harness || exit 2
    for COMP_LINE in "harness activation=si" "harness model.hi" "harness plug"; do
        COMP_POINT=${#COMP_LINE} COMP_WORDS=($COMP_LINE) COMP_CWORD=1 COMPREPLY=()
        hydra_bash_completion
        echo "${COMPREPLY[@]}"
    done
    """
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    line = ["bash", "--norc", "-c", script]
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    registered, *offered = done.stdout.splitlines()
    assert registered.endswith("-F hydra_bash_completion harness")
    assert offered == ["activation=sigmoid activation=sine", "model.hidden.", "plugins"]
    assert listing(workplace) == []


NOISY = """
import numpy as np
from dataclasses import dataclass

from harness.contracts import Data

@dataclass(frozen=True)
class Noisy:
    samples: int = 40
    task, greater_is_better = "regression", True

    def load(self, rng):
        np.mean(np.exp(np.full(3, 1e3)) * 0), np.mean([])
        x = np.arange(float(self.samples))[:, None] * 1e148
        return Data(x, x / 2, "regression", ("x",), ("y",), standardize=True)

    def __call__(self, prediction, y):
        return np.mean(np.empty((len(prediction), 0)), axis=1) * 0 + np.log(np.float64(0))
"""


TWO = ("-m", "seed=1,2", "hydra.launcher.engine=processes", "hydra.launcher.workers=2")


@pytest.mark.parametrize("line", [(), TWO])
def test_numpy_warns_nobody(workplace, line):
    for kind in ("dataset", "metric"):
        path = workplace / "mine" / kind / "noisy.py"
        path.parent.mkdir(parents=True)
        path.write_text(NOISY)
    line = (*line, "dataset=noisy", "metrics=[noisy]", "epochs=2", "figures.members=[loss]")
    done = harness_afresh("--plugins", "mine", *line, cwd=workplace)
    assert (done.code, done.err) == (0, "")
