"""The command line: verbs, flags, exit codes and what is said; real processes where it matters."""

import gc
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.cli import VERBS, format_error, main
from harness.contracts import DataError
from harness.errors import DiskError, TrackingError, UsageError
from tests.support.commands import SHORT, harness, harness_afresh, listing, refused

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
LATER = {"jinja2", "loky", "markdown_it"}  # for pages, and for workers
HEAVY = {"mlflow", "matplotlib", "optuna", "pandas", "scipy", "sklearn", "rich", "joblib"} | LATER
ROWS = "".join(f"{i},{2 * i}\n" for i in range(10)) + "\n"
CSV = {
    "word.csv": ("a,b\n1,2\nx,4\n", r"word.csv, line 3, column 'a'"),
    "ragged.csv": ("a,b\n1,2\n1,2,3\n", r"ragged.csv, line 3"),
    "empty.csv": ("", r"empty.csv"),
    "feature.csv": (f"a,b\n{ROWS}1,2\n1.7976931348623157e+308,2\n", r"line 14, column 'a'"),
    "target.csv": (f"a,b\n{ROWS}1,1.797e308\n2,-1.797e308\n", r"line 13, column 'b': 1.797e.*150"),
    "other.csv": ("a,c\n1,2\n", r"other.csv.*'b'"),
}


@pytest.mark.parametrize("spelling", [[], ["train"]])
def test_a_run_ends_with_lines_that_scripts_read(workplace, capsys, spelling):
    code, out, err = harness(capsys, *spelling, *SHORT)
    assert (code, err) == (0, "")
    keys = [line.partition(": ")[0] for line in out.splitlines()]
    assert keys == ["runs", "best", "record", "folder", "look"]
    assert "runs: 1 finished, 0 diverged, 0 failed" in out
    assert (workplace / "mlflow.db").is_file()


def test_the_program_and_the_module_are_the_same(workplace):
    program = subprocess.run(
        [Path(sys.executable).parent / "harness", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    done = harness_afresh("--version", cwd=workplace)
    assert (done.code, done.out) == (0, program.stdout)
    assert done.out.startswith(f"harness {version('numpy-harness')} (Hydra 1.3")


def test_a_run_that_diverges_is_listed_and_exits_3(workplace, capsys):
    code, out, err = harness(capsys, *SHORT, "optimizer.learning_rate=1e300", "epochs=9")
    assert code == 3
    assert "runs: 0 finished, 1 diverged, 0 failed" in out
    assert err.startswith("diverged: ")


@pytest.mark.parametrize("name", CSV)
def test_unusable_data_exits_65_with_file_line_and_column(workplace, capsys, name):
    content, said = CSV[name]
    (workplace / name).write_text(content)
    before = listing(workplace)
    code, out, err = harness(capsys, "dataset=csv", f"dataset.path={name}", "dataset.target=b")
    assert (code, out) == (65, "")
    assert re.search(said, err), err
    assert listing(workplace) == before


def test_a_missing_data_file_exits_65(workplace, capsys):
    code, _, err = harness(capsys, "dataset=csv", "dataset.path=no.csv", "dataset.target=b")
    assert code == 65
    assert err == "harness: no.csv: No such file or directory\n"
    code, _, err = harness(capsys, "-m", "dataset=csv,surface", "+dataset.path=no.csv")
    assert code == 2
    assert listing(workplace) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], "there is no 'trian'. Did you mean train? Available: train, plugins"),
        (["plugin"], "Did you mean plugins"),
        (["seed"], "command: there is no 'seed'"),
        (["epochs=1", "seed"], "'seed' is neither a command nor key=value"),
        (["--multirn"], "unrecognized arguments: --multirn\n  see harness --help"),
        (["--cfg", "jobs"], "invalid choice: 'jobs'"),
        (["--cfg"], "expected one argument"),
        (["--cfg", "job", "--multirun"], "only one of --run, --multirun, --cfg"),
        (["--package", "model"], "--resolve and --package go with --cfg"),
        (["--config-dir", "nowhere"], "--config-dir nowhere: there is no such folder"),
        (["--config-path", "."], "use --config-dir DIR"),
        (["--config-name", "mine"], "--config-name mine: there is no mine.yaml"),
        (["-sc", "nonsense"], "Expecting one subcommand"),
        (["--plugins", "here"], "here: there is no such folder (--plugins, HARNESS_PLUGINS)"),
        (["epochs=1", "--plugins=here"], "here: there is no such folder"),
        (["plugins", "--plugins"], "--plugins: a folder is expected"),
        (["resume", "nowhere"], "nowhere/manifest.json: no manifest"),
    ],
    ids=str,
)
def test_bad_usage_exits_2_with_a_hint(workplace, capsys, arguments, said):
    assert said in refused(capsys, *arguments)


def test_a_folder_of_plugins_in_the_environment_must_be_one(workplace, capsys, monkeypatch):
    monkeypatch.setenv("HARNESS_PLUGINS", "here")
    for arguments in ([], ["plugins"], ["--help"]):
        assert "here: there is no such folder" in refused(capsys, *arguments)
    (workplace / "here" / "activations").mkdir(parents=True)
    assert "no folder in it is a kind's: dataset, model, activation" in refused(capsys)


def test_an_argument_of_a_verb_that_is_missing_exits_2(workplace, capsys):
    assert harness(capsys, "resume").code == 2
    assert harness(capsys, "plugins", "--nonsense").code == 2
    assert listing(workplace) == []


def test_a_traceback_is_shown_only_for_who_asks(workplace, capsys, monkeypatch):
    assert "Traceback" not in harness(capsys, "epochs=0").err
    monkeypatch.setenv("HARNESS_DEBUG", "1")
    code, _, err = harness(capsys, "epochs=0")
    assert code == 2
    assert err.startswith("Traceback")
    assert err.endswith("harness: epochs=0: at least 1\n")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("a\n\nb\nc\nd"), 2, "a\n  b\n  c"),
        (DataError("bad", "d.csv", 3, "x"), 65, "d.csv, line 3, column 'x': bad"),
        (DiskError("full"), 74, "full"),
        (OSError(28, "No space left on device"), 74, "disk: No space left on device"),
        (PermissionError(13, "Permission denied", "/x"), 74, "/x: Permission denied"),
        (NotADirectoryError(20, "Not a directory", "a/b"), 74, "a/b: Not a directory"),
        (TrackingError("away"), 75, "away"),
        (RuntimeError("oh"), 1, "internal error: RuntimeError: oh"),
        (ConnectionResetError(104, "reset"), 1, "internal error: ConnectionResetError"),
    ],
    ids=str,
)
def test_every_error_has_its_exit_code(error, code, said):
    given, text = format_error(error)
    assert given == code
    assert text.startswith(said)


def test_only_the_program_spares_the_last_garbage_collection(monkeypatch, capsys):
    at_exit = []
    monkeypatch.setattr("atexit.register", at_exit.append)
    assert main(["--version"]) == 0
    assert at_exit == []
    monkeypatch.setattr("sys.argv", ["harness", "--version"])
    assert main() == 0
    assert at_exit == [gc.freeze]


def test_a_folder_that_is_a_file_is_disk_trouble(workplace, capsys):
    (workplace / "file").write_text("")
    code, _, err = harness(capsys, *SHORT, "hydra.run.dir=file/x")
    assert code == 74
    assert "file/x: Not a directory" in err


def test_when_the_store_is_away_the_command_that_publishes_is_told(workplace, capsys, monkeypatch):
    from harness.tracking.backend import connection

    monkeypatch.setattr(connection, "AWAY_SECONDS", 0.0)
    code, out, err = harness(
        capsys, *SHORT, "tracking.uri=http://127.0.0.1:9", "hydra.run.dir=a b"
    )
    assert code == 75
    assert "runs: 1 finished" in out
    assert err.endswith(f"kept: harness resume '{workplace}/a b'\n")


def test_help_lists_commands_groups_and_settings(workplace, capsys):
    code, out, err = harness(capsys, "--help")
    assert (code, err) == (0, "")
    for verb in VERBS:
        assert f"harness {verb}" in out or f"harness [{verb}]" in out
    assert re.search(r"activation: .*relu, .*sigmoid, .*tanh", out)
    assert "tracking: local, server" in out
    assert "learning_rate: 0.05" in out
    assert listing(workplace) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cfg", "job"], "learning_rate: 0.05"),
        (["--cfg", "job", "activation=leaky_relu", "-p", "activation"], "slope: 0.01"),
        (["--cfg", "job", "--resolve", "data_seed=${seed}", "-p", "data_seed"], "0"),
        (["--cfg", "hydra"], "stack_bytes: 3145728"),
        (["--cfg", "all"], "epochs: 500"),
        (["--info", "searchpath"], "harness://"),
        (["--info", "defaults"], "optimizer/sgd"),
        (["--info", "config"], "sigmoid"),
        (["--hydra-help"], "Hydra (1.3"),
        (["-h"], "harness resume DIR"),
        (["-h"], "harness report DIR|SWEEP_ID"),
    ],
    ids=str,
)
def test_what_hydra_can_show_is_shown_and_nothing_is_made(workplace, capsys, arguments, said):
    code, out, err = harness(capsys, *arguments)
    assert code == 0, err
    assert said in out
    assert listing(workplace) == []


def test_showing_a_package_that_is_not_there_is_bad_usage(workplace, capsys):
    assert harness(capsys, "--cfg", "job", "-p", "nothing").code == 2


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--cfg", "job"], ["--info"], ["plugins"], ["-sc", "query=bash"]]
)
def test_looking_imports_nothing_heavy(workplace, arguments):
    code = (
        "import sys, json; from harness.cli import main; code = main(sys.argv[1:]);"
        "print(); print(json.dumps([code, sorted({m.split('.')[0] for m in sys.modules})]))"
    )
    env = os.environ | {"COMP_LINE": "harness activation=", "COMP_POINT": "19"}
    line = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(line, cwd=workplace, env=env, capture_output=True, text=True, check=True)
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    heavy = HEAVY - ({"scipy"} if arguments == ["plugins"] else set())
    assert (code, heavy.intersection(loaded)) == (0, set())


def test_a_run_imports_nothing_that_pages_and_workers_need(workplace):
    line = [sys.executable, "-X", "importtime", "-m", "harness", *SHORT]
    done = subprocess.run(line, cwd=workplace, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "harness.training.loop" in loaded
    assert LATER & loaded == set()
