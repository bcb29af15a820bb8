"""`harness check`: what is passed, failed with its numbers, and skipped, on terminals and off."""

import os
import pty
import subprocess
import sys

import pytest

from tests.support.commands import closing_lines, harness, refused
from tests.support.strangers import strangers

BENT = """
from dataclasses import dataclass
import numpy as np

@dataclass(frozen=True)
class Bent:
    '''h = z².'''

    def __call__(self, z):
        return z * z

    def derivative(self, z, h):
        return 3 * z
"""


@pytest.fixture
def others(tmp_path):
    with strangers(tmp_path / "site-packages") as installed:
        yield installed


def test_plugins_that_keep_the_contract_pass(capsys):
    code, out, err = harness(capsys, "check", "schedule", "initializer/he")
    assert (code, err) == (0, "")
    assert "schedule/cosine: 17 checks passed\n" in out
    assert "initializer/he distribution=uniform: 15 checks passed\n" in out
    assert closing_lines(out)["checks"].endswith(" passed, 0 failed, 0 skipped")


def test_one_that_does_not_fails_with_the_numbers_that_show_it(capsys, others):
    others.install("bent", BENT, activation__bent="Bent")
    code, out, _ = harness(capsys, "check", "activation/bent", "activation/relu")
    assert code == 1
    assert "activation/relu: derivative_is_its_slope passed\n" in out
    assert "activation/bent: is_finite_far_out passed\n" in out
    failure = out.partition("activation/bent: derivative_is_its_slope failed\n")[2].splitlines()
    assert failure[0].startswith(
        "    expected: derivative(z, h) by central differences at z = 8.0123 = 16.02"
    )
    assert failure[1] == "    actual: 24.0369"
    assert failure[2] == "    contract: docs/plugins.md, 'Activations'"


def test_what_cannot_be_imported_has_failed_and_hurts_no_other(capsys, others):
    others.install("gone", "import nowhere", schedule__gone="Gone", dataset__refuses="Refuses")
    code, out, _ = harness(capsys, "check", "schedule")
    assert code == 1
    assert "schedule/gone: can_be_imported failed\n" in out
    assert "No module named 'nowhere'" in out
    assert "schedule/step: 17 checks passed\n" in out


def test_what_raises_has_failed_and_it_says_where(capsys, others):
    source = BENT.replace("return z * z", "raise KeyError('slope')")
    others.install("bent", source, activation__bent="Bent")
    code, out, _ = harness(capsys, "check", "activation/bent")
    assert code == 1
    file = others.folder / "bent.py"
    assert f"KeyError: 'slope'\n    raised in {file}, line 10" in out


def checked(capsys, others, **changes):
    """The output of `check` for a plugin, with parts of its source replaced."""
    source = BENT
    for old, new in changes.values():
        assert old in source
        source = source.replace(old, new)
    others.install("bent", source, activation__bent="Bent")
    code, out, _ = harness(capsys, "check", "activation/bent")
    assert code == 1
    return out


def test_the_line_is_the_plugins_own_and_equal_failures_are_one(capsys, others):
    out = checked(capsys, others, derivative=("return 3 * z", "return np.sgn(z)"))
    [failure] = [line for line in out.splitlines() if line.endswith("failed")]
    assert "derivative_is_its_slope" in failure
    assert "stacks_bit_for_bit" in failure
    assert f"raised in {others.folder / 'bent.py'}, line 13" in out
    assert "numpy/__init__" not in out


def test_what_cannot_be_imported_names_its_line(capsys, others):
    out = checked(capsys, others, nothing=("import numpy as np", "import numpy as np\nnp.sgn"))
    assert f"raised in {others.folder / 'bent.py'}, line 4" in out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("return 3 * z", "pass", "derivative(z, h) returns an array (4, 5, 4)\n    actual: None"),
        ("return z * z", "return z.sum()", "__call__(z) returns an array (4, 5, 4)"),
        ("'''h = z².'''", "width = 1.0", "`width: float = 1.0`\n    actual: `width = 1.0`"),
        ("def derivative", "def slope", "expected: a method `derivative`"),
        ("return z * z", "return z + 0.1 * np.random.random()", "after other inputs the same h"),
    ],
)
def test_what_is_expected_is_said_in_plain_numbers(capsys, others, old, new, said):
    out = checked(capsys, others, change=(old, new))
    assert said in out
    assert "np.float64(" not in out


def test_what_needs_arguments_is_skipped_with_the_reason(capsys):
    code, out, _ = harness(capsys, "check", "dataset/csv")
    assert code == 0
    assert "dataset/csv: all skipped: path, target must be given" in out


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("activtion", "kind: there is no 'activtion'. Did you mean activation?"),
        ("loss/msee", "loss: there is no 'msee'. Did you mean mse"),
    ],
)
def test_an_unknown_name_is_bad_usage(capsys, workplace, what, said):
    assert said in refused(capsys, "check", "loss/mse", what)


def test_a_terminal_shows_a_table():
    ours, theirs = pty.openpty()
    line = [sys.executable, "-m", "harness", "check", "schedule/step"]
    process = subprocess.Popen(line, stdout=theirs, env={**os.environ, "COLUMNS": "120"})
    os.close(theirs)
    shown = b""
    while process.poll() is None or not shown.endswith(b"skipped\r\n"):
        try:
            shown += os.read(ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
    os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert "┃" in text
    assert "is_positive_and_finite_to_the_end" in text
    assert "checks: 17 passed, 0 failed, 0 skipped" in text
