"""kill -9 at any moment and at every durable write: each run is done exactly once all the same."""

import os
import random
import signal
from contextlib import suppress

import psutil
import pytest

from tests.support.crashes import Disturbed

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
SEED = int(os.environ.get("CRASH_SEED", random.randrange(10**6)))
GRID = ("seed=range(3)", "activation=tanh,relu", "epochs=40")
SEARCH = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=2")
LEARNING_RATES = "optimizer.learning_rate=tag(log,interval(1e-3,1))"
SWEEPS = {
    "grid": GRID,
    "batches": (*GRID, "batch_size=4"),
    "search": (*SEARCH, LEARNING_RATES),
    "processes": (*GRID, "hydra.launcher.engine=processes", "hydra.launcher.workers=2"),
}
DURABLE = {
    "grid": ("seed=1,2",),
    "search": ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", LEARNING_RATES),
}
KILLS = {"grid": 6, "batches": 4, "search": 3, "processes": 2}  # at least
SOAK = {"grid": 200, "batches": 120, "search": 60, "processes": 20}
ROUNDS = [*KILLS.items(), *(pytest.param(*each, marks=pytest.mark.soak) for each in SOAK.items())]


@pytest.mark.parametrize(("kind", "wanted"), ROUNDS)
def test_a_sweep_killed_at_random_moments_does_each_run_once(tmp_path, kind, wanted):
    print(f"CRASH_SEED={SEED}")
    chance = random.Random(f"{SEED} {kind}")
    undisturbed = Disturbed(tmp_path / "calm", *SWEEPS[kind])
    takes = used(undisturbed.start(), 120)
    calm = undisturbed.results() if kind != "search" else None
    kills, number = 0, 0
    while kills < wanted:
        sweep = Disturbed(tmp_path / str(number), *SWEEPS[kind])
        kills, number = kills + killed(sweep, chance, takes), number + 1
        sweep.check(6, calm)
    print(f"{kind}: {kills} kills of {number} sweeps")


def killed(sweep, chance, takes):
    """Kill it again and again, until it ends by itself before that; how often."""
    kills = 0
    while True:
        going = sweep.start()
        used(going, chance.uniform(0.3, 0.9 + kills / 10) * takes)
        if going.code is not None:
            return kills
        going.signal(signal.SIGKILL)
        kills += going.wait() == -signal.SIGKILL


def used(going, limit):
    """Wait until it ends well or has used that many seconds of CPU, however slow they are now."""
    watched, seconds = psutil.Process(going.pid), 0.0
    for _ in range(30_000):
        try:
            assert going.wait(0.01) == 0, going.said()
            return seconds
        except TimeoutError:
            with suppress(psutil.NoSuchProcess):
                seconds = sum(watched.cpu_times()[:2])
            if seconds >= limit:
                return seconds
    raise AssertionError(f"it hangs: {going.said()}")


@pytest.mark.parametrize("steps", [(8, 40), pytest.param((1, 1), marks=pytest.mark.soak)], ids=str)
@pytest.mark.parametrize("kind", DURABLE)
def test_a_sweep_killed_at_any_durable_write_does_each_run_once(tmp_path, kind, steps):
    """Each kill is at a later write than the one before, by a random step: at every one by 1."""
    print(f"CRASH_SEED={SEED}")
    chance, line = random.Random(f"{SEED} {kind}"), (*DURABLE[kind], "epochs=3")
    undisturbed = Disturbed(tmp_path / "calm", *line)
    assert undisturbed.finish().code == 0
    calm = undisturbed.results() if kind != "search" else None
    number = kills = 0
    while True:
        number += chance.randint(*steps)
        sweep = Disturbed(tmp_path / str(number), *line)
        if sweep.start("tests.support.crashes:die_at_write", number).wait() == 0:
            break
        done, kills = sweep.finish(), kills + 1
        assert done.code == 0, (number, done.err)
        sweep.check(2, calm)
    print(f"{kind}: {kills} kills of {number} writes")
