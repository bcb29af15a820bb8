"""What is said of the best setting: against scipy, in plain words, and where little is known."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.analysis.leaderboard import RankedRun, group_by_setting, rank
from harness.analysis.significance import (
    compare,
    describe_best,
    format_difference,
    holm_correction,
)
from harness.analysis.sweep_note import write_sweep_note
from harness.store.manifest import Planned
from harness.sweeps.plan import plan, requested_run
from tests.conftest import make_config

LEAST = {"metric": "val/best_loss", "direction": "minimize"}
MOST = {"metric": "val/best_loss", "direction": "maximize"}
UNKNOWN = "with one seed, so seed noise is unknown (seed=0,1,2 or repeats=3 would tell)"
ALONE = "is the only setting whose runs all ended well"


def standings(values):
    """From {name: {seed: value}}; None for a run that diverged."""
    return [
        RankedRun(
            Planned(
                (at,), f"{name}{seed}", f"x={name} seed={seed}", (), {"x": name, "seed": seed}
            ),
            "diverged" if value is None else "ok",
            {} if value is None else {"val/best_loss": value},
            "",
            1,
        )
        for at, name in enumerate(values)
        for seed, value in values[name].items()
    ]


def made(objective=LEAST, **values):
    return group_by_setting(rank(standings(values), objective), objective)


def seeds(*values):
    return dict(enumerate(values))


finite = st.floats(-1e3, 1e3).map(lambda value: round(value, 6))
pairs = st.lists(st.tuples(finite, finite), min_size=2, max_size=6)


def check_agrees(found, expected):
    low, high = expected.confidence_interval(0.95)
    around = found.effect - found.interval, found.effect + found.interval
    assert found.p == pytest.approx(expected.pvalue, rel=1e-5, abs=1e-12)
    assert around == pytest.approx((low, high), rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(pairs)
def test_common_seeds_are_compared_in_pairs_as_scipy_does(both):
    both = [*zip(*both, strict=True)]
    first, other = made(a=seeds(*both[0]), b=seeds(*both[1]))
    [found] = compare([first, other], LEAST)
    assert found.seeds == len(both[0])
    if len({round(a - b, 6) for a, b in zip(*both, strict=True)}) > 1:
        ours, theirs = both if first.name == "x=a" else both[::-1]
        check_agrees(found, stats.ttest_rel(theirs, ours))


@settings(deadline=None, max_examples=60)
@given(*[st.lists(finite, min_size=2, max_size=5, unique=True)] * 2)
def test_runs_without_common_seeds_are_compared_as_welch_does(a, b):
    first, other = made(a=seeds(*a), b={100 + seed: value for seed, value in enumerate(b)})
    [found] = compare([first, other], LEAST)
    ours, theirs = (a, b) if first.name == "x=a" else (b, a)
    check_agrees(found, stats.ttest_ind(theirs, ours, equal_var=False))


def test_several_comparisons_are_corrected_by_holm():
    assert holm_correction([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_correction([0.6, math.nan, 0.7])[::2] == [1.0, 1.0]
    assert holm_correction([]) == []


SAID = [
    (
        {"a": seeds(0.1, 0.2, 0.3), "b": seeds(0.2, 0.31, 0.4)},
        "x=a is better than x=b by 0.103 ± 0.014 (3 seeds)",
    ),
    (
        {"a": seeds(0.1, 0.2, 0.3), "b": seeds(0.3, 0.2, 0.2)},
        "x=a is not distinguishable from x=b with 3 seeds (0.03 ± 0.38)",
    ),
    (
        {"a": seeds(0.1, 0.2, 0.3), "b": seeds(0.3, 0.2, 0.2), "c": seeds(1.1, 1.2, 1.3001)},
        "x=a is not distinguishable from x=b with 3 seeds (0.03 ± 0.38); "
        "it is better than x=c by 1.00003 ± 0.00014",
    ),
    ({"a": seeds(0.5), "b": seeds(0.75)}, f"x=a is ahead of x=b by 0.25 {UNKNOWN}"),
    ({"a": seeds(0.5), "b": seeds(0.5)}, f"x=a is level with x=b {UNKNOWN}"),
    (
        {"a": seeds(0.5, 0.5), "b": seeds(0.5, 0.5)},
        "x=a is not distinguishable from x=b with 2 seeds (0 ± 0)",
    ),
    ({"a": seeds(0.5, 0.5), "b": seeds(1, 1)}, "x=a is better than x=b by 0.5 ± 0 (2 seeds)"),
    ({"a": seeds(None, None), "b": seeds(None)}, "no run ended well"),
    ({"a": seeds(0.5), "b": seeds(None)}, f"x=a {ALONE}"),
    (
        {"a": seeds(0.1, None), "b": seeds(0.3, 0.4)},
        f"x=b {ALONE}; x=a would be ahead, but 1 of its 2 runs ended badly",
    ),
    (
        {"a": seeds(0.1, None), "b": seeds(0.3, None)},
        "of each setting a run ended badly: x=a comes first by the others",
    ),
]


@pytest.mark.parametrize(("values", "said"), SAID, ids=range(len(SAID)))
def test_the_answer_is_said_in_plain_words(values, said):
    assert describe_best(made(**values), LEAST) == said


def test_what_is_greater_is_better_where_that_is_asked_for():
    found = made(MOST, a=seeds(0.1, 0.2, 0.3), b=seeds(0.2, 0.31, 0.4))
    assert describe_best(found, MOST) == "x=b is better than x=a by 0.103 ± 0.014 (3 seeds)"


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ((0.012345, 0.0041), "0.0123 ± 0.0041"),
        ((123.4, 56.7), "123 ± 57"),
        ((1e-12, 3e-13), "1e-12 ± 3e-13"),
        ((1.23456, math.nan), "1.23"),
    ],
)
def test_a_number_has_as_many_digits_as_are_known(pair, expected):
    assert format_difference(*pair) == expected


def test_the_note_says_the_answer_first_and_leads_to_the_runs():
    planned = plan([requested_run(0, ("x=1",), make_config())], command=("x=a,b",), single=False)
    ranked = rank(standings({"a": seeds(0.1, None), "b_c": seeds(0.2, 0.3)}), LEAST)
    text = write_sweep_note(ranked, planned, "3 finished", lambda s: f"#/{s.planned.fingerprint}")
    lines = text.splitlines()
    assert lines[0].startswith(f"**`x=b_c` {ALONE}")
    assert lines[4] == "| rank | seeds | val/best_loss, mean ± 95 % | behind | x | best run |"
    assert lines[6] == "| 1 | 2 | 0.25 ± 0.64 |  | b_c | [seed=0](#/b_c0) |"
    assert lines[7] == "| 2 | 1 of 2 | 0.1 |  | a | [seed=0](#/a0) |"
