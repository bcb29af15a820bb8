"""`harness ui`: the right store, links that open on the curves in a real browser, a clean end."""

import os
import pty
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from harness import cli
from harness.commands import ui
from harness.commands.report.collect import from_folder, from_record
from harness.commands.report.page import render_page as page_of
from harness.errors import TrackingError
from harness.tracking.backend.uri import sqlite_uri
from harness.tracking.sweep_recorder import SweepRecorder
from tests.support import commands
from tests.support.browsing import Ui, is_open
from tests.support.commands import closing_lines
from tests.support.processes import descendants
from tests.support.recorded import PARAMS, QUIET, manifest, result

pytestmark = QUIET
SWEEP = ("-m", "activation=tanh,relu", "optimizer.learning_rate=0.1,0.3", "seed=0,1")
FILM = ("figures.timeline=true", "figures.best=1")
RUNS = 8
HERE = ("data:", "blob:", "file:", "http://127.0.0.1:")
SOON = 60_000  # milliseconds that a page may take on a busy machine


class Place(NamedTuple):
    """Where a sweep is, as `make demo` makes one, with a store of its own; and its best run."""

    folder: Path
    run_id: str
    name: str


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        assert cli.main([*SWEEP, *FILM, "epochs=60", "hydra.sweep.dir=sweep"]) == 0
    sweep_id = commands.manifest(folder / "sweep")["sweep_id"]
    report = from_record(sqlite_uri(folder / "mlflow.db"), sweep_id)
    best = report.best.planned
    return Place(folder, report.run_ids[best.fingerprint], best.name)


@pytest.fixture(scope="module")
def running(place):
    running = Ui(place.folder)
    yield running
    assert ended(running, signal.SIGINT) == 0


@pytest.fixture(scope="module")
def page(browser):
    """One page for all tests, for it takes seconds to load; it asks nobody outside."""
    page, asked = browser.new_page(viewport={"width": 1500, "height": 1000}), []
    page.on("request", lambda request: asked.append(request.url))
    yield page
    page.close()
    assert asked
    assert not [url for url in asked if not url.startswith(HERE)]


def drawn(page, file):
    """The picture that is shown of an artifact, once it is there: its size."""
    page.get_by_text(f"plots/{file}", exact=True).wait_for(timeout=SOON)
    found = page.wait_for_function(
        """() => [...document.querySelectorAll("img")].map(i => [i.naturalWidth, i.naturalHeight])
        .find(([width]) => width > 400)""",
        timeout=SOON,
    )
    return found.json_value()


def test_the_sweep_link_opens_on_several_loss_curves(running, page):
    page.goto(running.links["sweep"])
    chart = page.locator(
        "[data-testid='experiment-view-compare-runs-card']", has_text="train/loss"
    )
    lines = chart.locator("g.scatterlayer g.trace path.js-line")
    lines.nth(RUNS - 1).wait_for(timeout=SOON)
    colours = lines.evaluate_all("lines => lines.map(line => line.style.stroke)")
    assert len(set(colours)) >= 3  # a run's colour comes from its id
    assert lines.first.is_visible()


def test_the_best_link_opens_on_the_best_run(running, place, page):
    assert place.run_id in running.links["best"]
    page.goto(running.links["best"])
    page.locator("g.scatterlayer g.trace path.js-line").first.wait_for(timeout=SOON)
    assert page.get_by_role("heading", name=place.name).is_visible()


def test_a_slider_plays_the_training_of_a_run(running, page):
    page.goto(running.links["best"])
    page.locator("g.scatterlayer g.trace path.js-line").first.wait_for(timeout=SOON)
    page.mouse.move(800, 600)
    page.mouse.wheel(0, 5000)
    slider = page.get_by_role("slider")
    slider.wait_for(timeout=SOON)
    for step in ("+0+", "+1+"):
        picture = page.locator(f"img[src*='{quote(f'timeline+step{step}')}']")
        picture.wait_for(timeout=SOON)
        page.wait_for_function("image => image.naturalWidth > 100", arg=picture.element_handle())
        assert picture.is_visible()
        slider.press("ArrowRight")


def test_the_compare_link_puts_the_runs_side_by_side(running, page):
    page.goto(running.links["compare"])
    page.get_by_text(f"Comparing {RUNS} Runs from 1 Experiment").wait_for(timeout=SOON)
    assert page.get_by_text("Parallel Coordinates Plot").is_visible()


def test_the_leaderboard_link_opens_on_the_ranking_beside_the_figures(running, place, page):
    page.goto(running.links["leaderboard"])
    page.get_by_text("View as table").wait_for(timeout=SOON)
    page.get_by_text(place.name).first.wait_for(timeout=SOON)
    page.get_by_text("plots", exact=True).click()
    page.get_by_text("curves.png").click()
    assert drawn(page, "curves.png")[0] >= 800


def test_the_parent_shows_its_leaderboard_as_a_note(running, page):
    page.goto(running.links["leaderboard"].replace("/artifacts/leaderboard.json", ""))
    page.get_by_text("Show more").click(timeout=SOON)
    head = page.locator("table", has_text="val/best_loss, mean ± 95 %").locator("tr")
    assert head.count() == 1 + RUNS // 2  # settings
    assert f"{RUNS} finished, 0 diverged, 0 failed" in page.content()


def test_a_run_shows_its_pictures_and_a_surface_that_can_be_turned(running, page):
    page.goto(running.links["best"].replace("/model-metrics", "/artifacts/plots/surface.png"))
    assert drawn(page, "surface.png")[0] >= 800
    page.get_by_text("network.png").click()
    assert drawn(page, "network.png")[0] >= 800
    page.get_by_text("surface3d.html").click()
    canvas = page.frame_locator("iframe").locator("#learned")
    canvas.wait_for(timeout=SOON)
    before = canvas.screenshot()
    canvas.press("ArrowLeft")
    page.wait_for_timeout(300)
    assert canvas.screenshot() != before


def test_the_report_opens_whole(place, page):
    told = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(error))
    path = place.folder / "report.html"
    path.write_text(page_of(from_folder(place.folder / "sweep")))
    page.goto(path.as_uri())
    images = page.locator("img")
    sizes = images.evaluate_all("all => all.map(image => image.naturalWidth)")
    assert len(sizes) >= 5
    assert min(sizes) >= 600
    assert page.frame_locator("iframe").locator("#learned").is_visible()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= page.viewport_size["width"]
    assert not told


def ended(running, number):
    """The exit code after a signal; nothing of it is left."""
    family, port = descendants(running.process.pid), int(running.base.rpartition(":")[2])
    assert family
    assert is_open(port)
    code = running.end(number)
    assert not is_open(port)
    assert not [pid for pid in family if Path(f"/proc/{pid}").exists()]
    return code


def test_sigterm_ends_it_with_all_its_processes(place):
    assert ended(Ui(place.folder), signal.SIGTERM) == 143


def test_a_server_that_cannot_start_is_told(monkeypatch, place):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_uri(place.folder / "mlflow.db"))
    monkeypatch.setattr(ui, "HOST", "256.1.1.1")
    monkeypatch.setattr(ui, "check_host", lambda host, allowed: None)
    monkeypatch.setattr(ui, "free_port", lambda asked, host: nullcontext(5999))
    with pytest.raises(TrackingError, match=r"the MLflow server stopped: .*not known"):
        ui.main([])


def test_a_report_tells_that_files_are_not_there(tmp_path):
    run = manifest(tmp_path, 1, single=True)
    publisher = SweepRecorder(sqlite_uri(tmp_path / "mlflow.db"), run, tmp_path)
    publisher.open()
    run_id = publisher.publish(run.runs[0], result(run.runs[0]), {}, PARAMS, {})
    report = from_record(sqlite_uri(tmp_path / "mlflow.db"), run_id)
    assert report.best
    assert "not where MLflow looks for them" in report.missing[0]


def test_links_lead_to_the_server_that_is_set(running, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", running.base)
    assert ui.main([]) == 0
    assert closing_lines(capsys.readouterr().out) == running.links


def test_a_terminal_on_a_desktop_gets_a_browser(running, tmp_path, monkeypatch):
    program = tmp_path / "browser"
    program.write_text('#!/bin/sh\necho "$1" >> "$0.log"\n')
    program.chmod(0o755)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", running.base)
    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.setenv("BROWSER", f"{program} %s")
    monkeypatch.delenv("CI", raising=False)
    assert ui.main([]) == 0  # no terminal
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        assert ui.main(["--no-browser"]) == 0
        assert not (tmp_path / "browser.log").exists()
        assert ui.main([]) == 0
    os.close(ours)
    assert (tmp_path / "browser.log").read_text() == f"{running.links['sweep']}\n"
