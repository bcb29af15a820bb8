"""The benchmarks at their smallest: what they compare is equal, their report keeps its parts."""

from importlib import import_module
from importlib.util import find_spec

import pytest

from benchmarks import engines, measure, profiling, report, sweeps, trainers, training
from benchmarks.tasks import CASES, loss, starts
from benchmarks.trainers.numpy_loops import hand

ALIKE = [way for way in training.WAYS if way.runs != 1 and not way.validation]


# Importing and compiling take seconds a case: contenders that are not NumPy have one.
ONE, *_ = CASES
PAIRS = [(way, name) for way in ALIKE for name in CASES if name == ONE or way.needs == "numpy"]


@pytest.mark.parametrize(
    ("way", "name"), PAIRS, ids=[f"{name}-{way.name}, {way.dtype}" for way, name in PAIRS]
)
def test_every_contender_comes_to_the_notebooks_loss(name, way, monkeypatch):
    if not find_spec(way.needs):
        pytest.skip(f"{way.needs} comes with the bench extra, which is not installed")
    monkeypatch.setattr(trainers, "ENOUGH", 0.0)
    case, (module, function) = CASES[name], way.function.split(":")
    train = getattr(import_module(f"benchmarks.trainers.{module}"), function)
    few = train(case, 2, 1, way.dtype, 0.0)
    right = hand(case, 1, 1)
    [start] = starts(case, 1)
    reached, notebooks = (loss(case, start, trained.weights) for trained in (few, right))
    assert reached == pytest.approx(notebooks, rel=1e-9 if way.dtype == "float64" else 1e-4)
    assert (few.runs, few.epochs) == (2, 1)


@pytest.fixture
def impatient(monkeypatch):
    """Measuring does not wait for what a test process keeps running: its servers and browser."""
    monkeypatch.setattr(measure, "PATIENCE", 0.5)


def test_what_sweeps_are_compared_by_is_counted(tmp_path, impatient):
    way = next(way for way in sweeps.WAYS if way.name == "an expert's NumPy script")
    spent, left = measure.in_an_empty_folder(sweeps.command(way, 2), tmp_path)
    assert left == (2, 2 * 20, 2 * 201, 2, 1)
    assert spent.cpu > 0 < spent.rss


def test_an_engine_is_measured_on_a_sweep_that_ends_well(tmp_path, impatient):
    spent = measure.run(engines.sweep("serial", 2, 1, 1), tmp_path)
    assert spent.code == 0, spent.out
    assert measure.store_contents(tmp_path).runs == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SQLAlchemy, about MLflow's use
@pytest.mark.parametrize("stage", profiling.STAGES)
def test_every_function_of_a_stage_of_the_profile_is_in_the_code(stage):
    for name in profiling.STAGES[stage]:
        assert callable(profiling.find_function(name)[2])


def test_a_stage_that_is_gone_is_no_silent_gap_in_the_profile(monkeypatch):
    monkeypatch.setattr(profiling, "STAGES", {"gone": ("harness.sweeps.plan:gone",)})
    with pytest.raises(AttributeError, match="gone"):
        profiling.install(profiling.Meter())


def test_time_of_an_inner_stage_is_not_counted_to_the_outer():
    meter = profiling.Meter()
    inner = meter.wrap("inner", lambda: sum(range(300_000)))
    outer = meter.wrap("outer", inner)
    assert outer() == sum(range(300_000))
    assert meter.seconds["inner"] > meter.seconds["outer"]


def test_a_section_takes_the_place_of_its_former_self(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "RESULTS.md")
    for section, text in (("sweeps", "first"), ("training", "second"), ("sweeps", "third")):
        report.write(section, section.title(), text)
    written = (tmp_path / "RESULTS.md").read_text()
    assert "first" not in written
    assert written.index("second") < written.index("third")
    assert written.count("# Benchmark results") == 1
