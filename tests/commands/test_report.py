"""`harness report`: one page of a sweep or run, from its folder or from MLflow alone."""

import base64
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness import cli
from harness.analysis import leaderboard
from harness.analysis.leaderboard import RankedRun
from harness.analysis.significance import format_difference
from harness.commands.report import main
from harness.commands.report.collect import Report, from_folder, from_record
from harness.commands.report.page import MAX_ROWS, leaderboard_rows, render_page
from harness.config.build import forget_builds
from harness.store.trials import read_trial_runs
from harness.tracking.backend.uri import tracking_uri
from harness.tracking.read_sweep import read_sweep
from tests.conftest import make_config
from tests.support.commands import closing_lines, harness, manifest, merged, refused
from tests.support.recorded import QUIET, planned
from tests.support.recorded import manifest as made

pytestmark = QUIET
SMALL = ("figures.names=[curves,loss,surface3d]", "figures.members=[]", "dataset.samples=20")
SWEEP = ("-m", *SMALL, "activation=tanh,relu", "seed=0,1", "epochs=3", "tracking.model=none")


class Looked(HTMLParser):
    """What a page is made of: its tags, where it points to, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.targets, self.words, self.inner = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "action", "background", "poster"):
                self.targets.append(value)
            if name == "srcdoc":
                self.inner.append(value)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def trained(tmp_path_factory, store):
    """The folder of a sweep that nobody changes."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        patch.chdir(folder)
        assert cli.main([*SWEEP, "hydra.sweep.dir=here"]) == 0
    return folder / "here"


@pytest.fixture
def sweep(trained, place):
    """A folder with a sweep in an empty current directory."""
    return Path(shutil.copytree(trained, place / "here"))


def test_a_folder_and_its_record_give_the_same_page(sweep, place):
    uri, there = tracking_uri(None, place), from_folder(sweep)
    sweep_id = there.manifest.sweep_id
    for asked in (sweep_id, read_sweep(uri, sweep_id).top):
        recorded = from_record(uri, asked)
        assert recorded.pictures.keys() == there.pictures.keys() == {"curves.png"}
        assert recorded.best_pictures == there.best_pictures
        assert {*there.best_pictures} == {"loss.png", "surface3d.html"}
        assert recorded.config == there.config
        assert [*recorded.advice] == there.advice
        assert not recorded.missing + there.missing
        columns = leaderboard_rows(recorded)
        assert all(columns.pop("run_id"))
        assert columns == leaderboard_rows(there)
        pages = [Looked(render_page(report)).text for report in (there, recorded)]
        whole = [text.partition("All runs")[0] for text in pages]
        assert whole[0] == whole[1]


def test_the_page_holds_the_answer_and_is_whole_in_itself(sweep):
    report = from_folder(sweep)
    looked = Looked(render_page(report))
    best, *_ = leaderboard.group_by_setting(report.ranked, report.manifest.objective)
    assert (
        f"Best: {best.name} val/best_loss = {format_difference(best.mean, best.interval)}"
        in looked.text
    )
    assert "with 2 seeds (" in looked.text
    assert "harness -m 'figures.names=[curves,loss,surface3d]'" in looked.text
    assert "activation relu, tanh (numpy-harness" in looked.text
    assert "openblas" in looked.text
    assert all(target.startswith("data:") for target in looked.targets)
    pictures = [target for target in looked.targets if target.startswith("data:image/png")]
    assert [base64.b64decode(each.partition(",")[2])[:4] for each in pictures] == [b"\x89PNG"] * 2
    assert looked.inner == [report.best_pictures["surface3d.html"].decode()]
    assert "script" not in looked.tags


def test_a_server_is_all_that_is_needed(server, place, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert harness(capsys, *SWEEP, "hydra.sweep.dir=there").code == 0
    sweep_id = manifest(place / "there")["sweep_id"]
    shutil.rmtree(place / "there")
    code, out, err = harness(capsys, "report", sweep_id)
    assert (code, err) == (0, "")
    looked = Looked(Path(closing_lines(out)["report"]).read_text())
    assert len([target for target in looked.targets if target.startswith("data:image")]) == 2
    assert "config.yaml of the best run" in looked.text


def test_a_member_is_reported_alone(sweep, place):
    uri = tracking_uri(None, place)
    run_id = next(iter(from_record(uri, manifest(sweep)["sweep_id"]).run_ids.values()))
    report = from_record(uri, run_id[:12])
    assert report.manifest.single
    assert report.run_ids == {report.best.planned.fingerprint: run_id}
    assert report.best.planned.name in Looked(render_page(report)).text


def test_what_is_not_trained_is_told(sweep, capsys):
    next((sweep / "results").iterdir()).unlink()
    code, _, err = harness(capsys, "report", "here", "--out", "page.html")
    assert code == 0
    assert "3 of 4 runs are trained; harness resume" in err
    assert "Unfinished: 3 of 4 runs are trained" in (sweep.parent / "page.html").read_text()
    for path in (sweep / "results").iterdir():
        path.unlink()
    assert "No run ended well" in render_page(from_folder(sweep))


def test_a_single_run_has_a_page(launched, capsys):
    folder = launched(*SMALL, "validation=0", "tracking.run_name='<script>alert(1)</script>'")
    text = render_page(from_folder(folder))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "script" not in Looked(text).tags
    assert "train/best_loss" in text
    sweep_id = manifest(folder)["sweep_id"]
    code, out, _ = harness(capsys, "report", sweep_id)
    told = closing_lines(out)
    assert (code, told["report"]) == (0, str(folder.parent / f"report-{sweep_id}.html"))
    assert re.fullmatch(r"\d+ kB", told["size"])


def test_a_run_that_diverged_says_so_and_what_to_change(place, capsys):
    line = [*SMALL, "epochs=5", "optimizer.learning_rate=1e200", "hydra.run.dir=bad"]
    assert harness(capsys, *line).code == 3
    sweep_id = manifest(place / "bad")["sweep_id"]
    for report in (from_folder(place / "bad"), from_record(tracking_uri(None, place), sweep_id)):
        text = Looked(render_page(report)).text
        assert ": diverged" in text
        assert "lower optimizer.learning_rate from 1e+200 to" in text


def test_a_sweep_of_which_all_runs_diverged_has_a_page(place, capsys):
    rates = "optimizer.learning_rate=1e200,1e250"
    code, _, _ = harness(capsys, *merged(*SWEEP, rates, "hydra.sweep.dir=bad"))
    assert code == 3
    text = Looked(render_page(from_folder(place / "bad"))).text
    assert "No run ended well" in text
    assert "8 diverged" in text
    assert "not finite at epoch" in text
    recorded = from_record(tracking_uri(None, place), manifest(place / "bad")["sweep_id"])
    assert "not finite at epoch" in Looked(render_page(recorded)).text


def test_a_search_has_a_page(place, capsys):
    space = "optimizer.learning_rate=tag(log,interval(1e-3,1))"
    line = ["-m", "hydra/sweeper=optuna", space, "hydra.sweeper.n_trials=3", "hydra.sweep.dir=opt"]
    assert harness(capsys, *SMALL, "epochs=2", "tracking.model=none", *line).code == 0
    log = place / "opt" / "trials.jsonl"
    log.write_text(log.read_text() + '{"op_code": 8, "user_at')  # being written
    assert len(read_trial_runs(place / "opt")) == 3
    assert len(from_folder(place / "opt").ranked) == 3


def test_data_that_is_gone_costs_the_pictures_alone(place, capsys):
    (place / "mine.csv").write_text("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(20)))
    line = ["dataset=csv", "dataset.path=mine.csv", "dataset.target=b", "figures.names=[loss]"]
    assert harness(capsys, *line, "epochs=2", "hydra.run.dir=here").code == 0
    (place / "mine.csv").unlink()
    forget_builds()
    report = from_folder(place / "here")
    assert "Not all pictures could be drawn" in report.missing[0]
    assert "mine.csv" in render_page(report)


def test_names_stay_text_and_lead_nowhere(tmp_path):
    odd = ["<script>alert(1)</script>", "![x](http://there/x.png)", "[x](javascript:alert(1))"]
    looked = Looked(render_page(large(tmp_path, [{"dataset": {"name": name}} for name in odd])))
    assert {*looked.tags}.isdisjoint({"script", "img", "a"})
    assert looked.targets == ["data:,"]
    assert "<script>alert(1)</script>" in looked.text


def test_of_many_runs_the_first_are_shown(tmp_path):
    text = render_page(
        large(tmp_path, [{"seed": seed, "epochs": 1 + seed % 900} for seed in range(2000)])
    )
    assert f"The first {MAX_ROWS} of 2,000 runs" in text
    assert "2000 values up to" in text
    assert len(text) < 100_000


def large(folder, changes):
    """A report of runs that differ in this, made by hand."""
    runs = [planned(i, config=make_config(**each), name="x") for i, each in enumerate(changes)]
    ranked = [RankedRun(run, "ok", {"val/best_loss": 1.0 + run.jobs[0]}, "", 5) for run in runs]
    return Report(made(folder, 0), ranked, {}, {})


def test_only_a_report_is_written_over(sweep, place, capsys):
    (place / "page.html").write_text("<h1>mine</h1>")
    (place / "folder").mkdir()
    assert "--force writes over it" in refused(capsys, "report", "here", "--out", "page.html")
    assert "no such folder" in refused(capsys, "report", "here", "--out", "none/page.html")
    assert "this is a folder" in refused(capsys, "report", "here", "--out", "folder")
    for more in (["--force"], []):
        assert main(["here", "--out", "page.html", *more]) == 0
    assert "Best: " in (place / "page.html").read_text()


def test_what_there_is_not_is_told(place, capsys):
    (place / "empty").mkdir()
    assert "manifest.json: no manifest" in refused(capsys, "report", "empty")


def test_an_unknown_id_is_told(sweep, capsys):
    for asked in ("0" * 32, "x' or tags.a != '"):
        assert f"there is no run {asked!r} in sqlite:" in refused(capsys, "report", asked)
    assert "no/folder: there is no such folder" in refused(capsys, "report", "no/folder")
