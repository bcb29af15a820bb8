"""Types are checked as one of the tests, so that others run beside it: it takes 40 s at first."""

import subprocess
import sys

from tests.support import ROOT


def test_mypy_finds_nothing():
    line = [sys.executable, "-m", "mypy"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
