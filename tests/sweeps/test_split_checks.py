"""An objective that is not a number, and classes that cannot be learned, are warned of."""

import pytest

import harness as api
from harness.config.build import build
from harness.sweeps.split_checks import split_warnings
from tests.conftest import make_config
from tests.support.commands import SHORT, closing_lines, harness

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow",
    "ignore:::sqlalchemy",
    "ignore:::optuna",
    "ignore::ResourceWarning",
)
WHY = "the validation part has class a only"


def table(folder, classes):
    """Write a file with an example for each of 20 letters: four are held out, the 18th is one."""
    path = folder / "d.csv"
    path.write_text("x,y\n" + "".join(f"{i},{name}\n" for i, name in enumerate(classes)))
    return path


def asked(path):
    return [
        *("dataset=csv", f"dataset.path={path}", "dataset.target=y", "loss=softmax_cross_entropy"),
        *("objective.metric=val/roc_auc", "metrics=[accuracy,roc_auc]"),
        *(line for line in SHORT if not line.startswith("dataset.")),
    ]


@pytest.mark.parametrize(
    ("classes", "found"),
    [
        ("a" * 19 + "b", [f"will not be a number, and no run best, because {WHY}"]),
        ("a" * 17 + "bcc", ["class b: in the validation part only, so that no run can learn it"]),
        ("ab" * 10, []),
    ],
)
def test_what_the_split_shows_is_warned_of_before_training(tmp_path, classes, found):
    dataset = {"name": "csv", "path": str(table(tmp_path, classes)), "target": "y"}
    config = make_config(
        dataset=dataset, loss={"name": "softmax_cross_entropy"}, metrics=["roc_auc"]
    )
    texts = [*split_warnings(build(config), ["val/roc_auc", "val/best_loss"])]
    assert len(texts) == len(found)
    for text, end in zip(texts, found, strict=True):
        assert text.endswith(end)


def test_metrics_of_a_regression_are_numbers():
    config = make_config(metrics=["r2", "mae"], test=0.2)
    assert [*split_warnings(build(config), ["val/r2", "test/mae", "train/seconds"])] == []


@pytest.mark.parametrize("sweep", ["", "-m activation=tanh,relu", "search"])
def test_without_a_number_no_run_is_best_and_the_reason_is_said(place, capsys, sweep, caplog):
    search = "-m hydra/sweeper=optuna hydra.sweeper.n_trials=2 activation=tanh,relu"
    more = (search if sweep == "search" else sweep).split()
    done = harness(capsys, *more, *asked(table(place, "a" * 19 + "b")))
    assert done.code == 0, done.err
    assert "best: " not in done.out
    assert done.err.count(WHY) + done.out.count(WHY) + caplog.text.count(WHY) >= 2
    assert f"finished runs, so that none is best: {WHY}\n" in done.err
    if sweep.startswith("-m"):
        assert closing_lines(done.out)["compare"] == "val/roc_auc is not a number for any run"


def test_a_split_is_warned_of_once_and_a_later_one_too(place, caplog):
    one, fine = table(place, "a" * 19 + "b"), place / "fine.csv"
    fine.write_text(table(place, "ab" * 10).read_text())
    table(place, "a" * 19 + "b")
    lines = [line for line in asked(one) if not line.startswith("dataset.path")]
    api.sweep([*lines, f"dataset.path={fine},{one}", "seed=1,2"])
    assert caplog.text.count(WHY) == 1
