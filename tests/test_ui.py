"""`harness ui`: the right store, links that open on the curves in a real browser, a clean end."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from harness.commands import ui
from harness.errors import TrackingError, UsageError
from harness.report import from_record
from harness.tracking.publisher import Publisher
from harness.tracking.uri import sqlite_uri
from tests.recorded import PARAMS, QUIET, manifest, result, served

pytestmark = QUIET
CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ML = "workflowType=machine_learning"
RUN = "import sys; from harness.cli import main; sys.exit(main(['ui', *sys.argv[1:]]))"


def record(uri, folder, single=False):
    publisher = Publisher(uri, manifest(folder, 1 if single else 3, single), folder)
    publisher.open()
    ids = [
        publisher.publish(run, result(run, points=20), {}, {**PARAMS, "seed": str(i)}, {})
        for i, run in enumerate(publisher._manifest.runs)
    ]
    publisher.finish("", {}, {}, {"best_run_id": ids[0]}, {}, "FINISHED")
    return ids


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a recorded sweep, and the ids of its runs."""
    folder = tmp_path_factory.mktemp("place")
    return folder, record(sqlite_uri(folder / "mlflow.db"), folder)


class Ui:
    """A running `harness ui`: its links, and what it said besides."""

    def __init__(self, folder, *arguments):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        self.out = (folder / "out.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", RUN, *arguments],
            cwd=folder,
            env=environment,
            stdout=self.out,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if line.startswith("serving"):
                break
        self.links = dict(
            line.rstrip().split(": ", 1) for line in Path(self.out.name).read_text().splitlines()
        )

    def end(self, number=signal.SIGINT):
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        self.out.close()
        return self.process.returncode


@pytest.fixture(scope="module")
def running(place):
    running = Ui(place[0])
    yield running
    if running.process.poll() is None:
        running.end()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page that keeps the addresses it asked for."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    outside = ("data:", "blob:", "http://127.0.0.1:")
    assert not [url for url in page.asked if not url.startswith(outside)]
    page.close()


def test_the_sweep_link_opens_on_several_loss_curves(running, page):
    page.goto(running.links["sweep"])
    chart = page.locator(
        "[data-testid='experiment-view-compare-runs-card']", has_text="train/loss"
    )
    lines = chart.locator("g.scatterlayer g.trace path.js-line")
    lines.nth(2).wait_for(timeout=60_000)
    colours = lines.evaluate_all("lines => lines.map(line => line.style.stroke)")
    assert len(set(colours)) == 3
    assert lines.first.is_visible()


def test_the_best_link_opens_on_the_best_run(running, place, page):
    assert place[1][0] in running.links["best"]
    page.goto(running.links["best"])
    page.locator("g.scatterlayer g.trace path.js-line").first.wait_for(timeout=60_000)
    assert page.get_by_role("heading", name="seed=0").is_visible()


def test_the_compare_link_puts_the_runs_side_by_side(running, page):
    page.goto(running.links["compare"])
    page.get_by_text("Comparing 3 Runs from 1 Experiment").wait_for(timeout=60_000)
    assert page.get_by_text("Parallel Coordinates Plot").is_visible()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_all_its_processes(place, number, code):
    running = Ui(place[0])
    port = int(re.search(r":(\d+)", running.said[-1])[1])
    family = descendants(running.process.pid)
    assert family
    assert is_open(port)
    assert running.end(number) == code
    assert not is_open(port)
    assert not [pid for pid in family if Path(f"/proc/{pid}").exists()]


def test_a_busy_port_is_passed_over_unless_it_was_asked_for(capsys):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {taken} cannot be used: Address already"):
            ui.free_port(taken)
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        patch.setattr(ui, "PORT", taken)
        assert ui.free_port(None) > taken
    assert f"port {taken} is in use" in capsys.readouterr().err


def test_nothing_recorded_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError, match="nothing is recorded here"):
        ui.main([])
    assert not [*tmp_path.iterdir()]


def test_a_server_that_cannot_start_is_told(monkeypatch, place):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_uri(place[0] / "mlflow.db"))
    monkeypatch.setattr(ui, "HOST", "256.1.1.1")
    monkeypatch.setattr(ui, "check_host", lambda host, allowed: None)
    monkeypatch.setattr(ui, "free_port", lambda asked, host: 5999)
    with pytest.raises(TrackingError, match=r"the MLflow server stopped: .*not known"):
        ui.main([])


def test_a_report_tells_that_files_are_not_there(place):
    uri = sqlite_uri(place[0] / "mlflow.db")
    report = from_record(uri, place[1][0])
    assert report.best
    assert "not where MLflow looks for them" in report.missing[0]


def test_links_lead_to_the_server_that_is_set(tmp_path, monkeypatch, capsys):
    with served(tmp_path) as uri:
        [only] = record(uri, tmp_path, single=True)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert ui.main([]) == 0
    said = capsys.readouterr().out
    assert said == f"best: {uri}/#/experiments/1/runs/{only}/model-metrics?{ML}\n"


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def descendants(pid):
    """All processes under one, from /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found, fresh = set(), {pid}
    while fresh := {child for child, parent in parents.items() if parent in fresh}:
        found |= fresh
    return found
