"""Compare the engines on a sweep in which training dominates: wall time and CPU.

python -m benchmarks.engines [RUNS] [EPOCHS] [WORKERS]
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import measure, report
from benchmarks.tasks import CASES

ENGINES = ("serial", "processes", "ray", "submitit")
REFUSED = 2  # the exit code for what is not to be had
EQUAL = """{runs} runs of T2's net ({about}; {epochs} epochs), recorded as `harness -m` does
with `figures.members=[]` and no figures of the best. Serial trains in one process beside the
one thread that publishes; the others with `hydra.launcher.workers={workers}`. One measurement
each; start-up of the engine and its workers included.
"""


def sweep(engine: str, runs: int, epochs: int, workers: int) -> list[str]:
    """Return the command that trains on an engine."""
    asked = [f"hydra.launcher.engine={engine}"]
    asked += [f"hydra.launcher.workers={workers}"] if engine != "serial" else []
    quiet = ["figures.names=[]", "figures.members=[]", "figures.best=0", "tracking.model=none"]
    lines = [*CASES["T2"].overrides, f"epochs={epochs}", f"seed=range({runs})"]
    return ["-m", "harness", "-m", *lines, *quiet, *asked]


def main(runs: int = 64, epochs: int = 100, workers: int = 2) -> None:
    """Measure each engine, and write the section of RESULTS.md."""
    rows: list[dict[str, object]] = []
    with TemporaryDirectory() as name:
        for engine in ENGINES:
            folder = Path(name, engine)
            folder.mkdir()
            env = measure.surroundings(XDG_CACHE_HOME=str(Path(name, "cache")))
            spent = measure.run(sweep(engine, runs, epochs, workers), folder, env)
            if spent.code == REFUSED:
                print(f"{engine}: refused: {spent.out.strip()}", flush=True)
                continue
            assert spent.code == 0, spent.out[-2000:]
            assert measure.store_contents(folder).runs == runs
            rows.append(
                {"": engine, "wall s": spent.wall, "CPU s": spent.cpu, "peak MB": spent.rss}
            )
            print(rows[-1], flush=True)
    about = CASES["T2"].about
    text = EQUAL.format(runs=runs, about=about, epochs=epochs, workers=workers)
    report.write("engines", "Engines", f"{text}\n{report.table(rows)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
