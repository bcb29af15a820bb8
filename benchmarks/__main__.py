"""Run all benchmarks, or the ones named: `python -m benchmarks training sweeps`."""

import sys
import time
from importlib import import_module

from benchmarks.report import SECTIONS


def main(names: list[str]) -> int:
    """Run each section in turn; RESULTS.md keeps the sections that are not named."""
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        print(
            f"no benchmark {', '.join(unknown)}: there are {', '.join(SECTIONS)}", file=sys.stderr
        )
        return 2
    for name in names or SECTIONS:
        start = time.perf_counter()
        import_module(f"benchmarks.{name}").main()
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
