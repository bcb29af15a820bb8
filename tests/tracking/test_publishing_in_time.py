"""What MLflow shows of runs in training is never much older than they are, however they train."""

import time

import pytest

from tests.support import forks
from tests.support.commands import merged, variables
from tests.support.recorded import client_and_runs
from tests.support.slow import Slow, slow_in, store_made

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
LINE = ("epochs=8", "activation.first=8", "activation.seconds=0.7", "tracking.log_every=1")
LINE += ("figures=none", "tracking.model=none", "hydra.run.dir=here", "hydra.sweep.dir=here")
SWEEP = ("-m", "seed=1,2", "hydra.launcher.engine=processes", "hydra.launcher.workers=1")
PROMISED, MARGIN = 5.0, 3.0  # seconds; of a machine that does other things besides


def behind(uri, slow, count):
    """For how long the store does not show what has begun or ended in that folder."""
    now, begun, ended = time.time(), slow.times("begun"), slow.times("ended")
    if not begun:
        return 0.0
    client, runs = client_and_runs(uri, slow.folder / "here")
    if len(runs) < count:
        return now - begun[0]
    lags = [0.0]
    for run in runs:
        assert run.info.status in ("RUNNING", "FINISHED")
        points = client.get_metric_history(run.info.run_id, "train/loss")
        missing = ended[max([point.step for point in points], default=0) :]
        lags.append(now - missing[0] if missing else 0.0)
    return max(lags)


def test_long_epochs_are_shown_within_seconds(place):
    uri = store_made()
    with slow_in(place):
        going, worst = {}, {}
        for line in ((), SWEEP):
            there = Slow(place / str(len(line)))
            there.folder.mkdir()
            arguments = merged(*LINE, *line, *there.line)
            env = variables(MLFLOW_TRACKING_URI=uri)
            going[there] = forks.start(*arguments, cwd=there.folder, env=env), 1 + bool(line)
        while going:
            for there, (process, count) in [*going.items()]:
                late = behind(uri, there, count)
                worst[there] = max(late, worst.get(there, 0.0))
                try:
                    assert process.wait(0.2) == 0, process.said()
                    del going[there]
                except TimeoutError:
                    continue
    print([*worst.values()])
    assert max(worst.values()) < PROMISED + MARGIN
