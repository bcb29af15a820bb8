"""Checks of metrics: one finite number a run, and the best one for the right prediction."""

from typing import Any

import numpy as np

from harness.checks.kit import Call, Case, Kind, Skip, expect, expect_class_variable, expect_like
from harness.contracts import Array

HEADING = "Metrics"
RUNS, EXAMPLES = 4, 600


class Exam:
    """Predictions of known quality: targets, or probabilities and class codes."""

    def __init__(self, classes: int, case: Case = Case()) -> None:  # noqa: B008 it is frozen
        self.classes, self.case, rng = classes, case, case.rng("truth")
        codes: Array = np.arange(EXAMPLES) % max(classes, 1)
        self.y = codes if classes else rng.normal(3, 2, (EXAMPLES, 2))

    def graded(self) -> Array:
        """Return four predictions (4, N, …): right, nearly right, poor, and wrong."""
        rng = self.case.rng("errors")
        if not self.classes:
            away = np.multiply.outer([0, 0.1, 1, 10], rng.normal(0.5, 1, self.y.shape))
            return np.asarray((self.y + away).astype(self.case.dtype))
        said = np.stack([self.y] * 4)
        for grade, share in enumerate((0, 0.2, 0.6, 1)):
            wrong = rng.permutation(EXAMPLES)[: round(share * EXAMPLES)]
            said[grade, wrong] = (said[grade, wrong] + 1) % self.classes
        sure = said[..., None] == np.arange(self.classes)
        odds = np.where(sure, 100, 1) + 0.1 * rng.random(sure.shape)
        return np.asarray((odds / odds.sum(axis=-1, keepdims=True)).astype(self.case.dtype))


def exams(metric: Any, case: Case = Case()) -> list[Exam]:  # noqa: B008 it is frozen
    """Return the exams for a metric: of its task if it has one, else of the task that it fits.

    If a metric without a task works for both, the task is the one in which the marks of right
    and wrong predictions differ more.
    """
    found, problem = [], ""
    both = {"regression": [Exam(0, case)], "classification": [Exam(2, case), Exam(10, case)]}
    task = getattr(metric, "task", None)
    for each in [both[task]] if task in both else both.values():
        try:
            marks = [metric(exam.graded(), exam.y) for exam in each]
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            continue
        if all(np.shape(mark) == (RUNS,) for mark in marks):
            found.append((max(map(_contrast, marks)), each))
        else:
            problem = f"the shape {np.shape(marks[0])} for {RUNS} runs"
    expect(found, "(R,) from (R, N, targets), or (R, N, classes) and codes", problem, HEADING)
    return max(found, key=lambda pair: pair[0])[1]


def _contrast(mark: Array) -> float:
    """Return the contrast of the marks of a right and a wrong prediction, from 0 to 1."""
    right, wrong = float(mark[0]), float(mark[-1])
    apart = abs(right - wrong) / max(abs(right) + abs(wrong), 1e-300)
    return apart if np.isfinite(apart) else 1.0


def _signed(metric: Any, marks: Array) -> Array:
    """Return marks whose greatest value is the best."""
    return marks if metric.greater_is_better else -marks


def use(metric: Any, case: Case, call: Call) -> dict[str, Array]:
    """Return the metric of each exam."""
    values = {}
    for exam in exams(metric, case._replace(members=(0, 1, 2, 3))):
        prediction = exam.graded()[list(case.members)]
        values[f"value of {exam.classes or 'no'} classes"] = call(metric, prediction, exam.y)
    return values


KIND = Kind("metric", use, HEADING)


def check_metric_says_which_way_is_better(metric: Any) -> None:
    expect_class_variable(metric, "greater_is_better", (True, False), HEADING)


def check_metric_says_what_data_it_is_for(metric: Any) -> None:
    if getattr(metric, "task", None) is None:
        raise Skip("it says no `task`")
    expect_class_variable(metric, "task", ("regression", "classification"), HEADING)


def check_metric_is_one_number_a_run(metric: Any) -> None:
    for exam in exams(metric):
        for runs in (1, 3):
            value = metric(exam.graded()[:runs], exam.y)
            expect_like(f"the value of {runs} runs", value, (runs,), float, HEADING)


def check_metric_is_finite(metric: Any) -> None:
    for exam in exams(metric):
        marks = metric(exam.graded(), exam.y)
        expect(np.isfinite(marks).all(), "finite from right to wrong", marks, HEADING)


def check_metric_is_best_when_all_is_right(metric: Any) -> None:
    way = "greatest" if metric.greater_is_better else "least"
    for exam in exams(metric):
        marks = metric(exam.graded(), exam.y)
        signed = _signed(metric, marks)
        good = signed[0] >= signed.max()
        actual = ", ".join(f"{mark:.4g}" for mark in marks)
        expect(good, f"{way} where all is right: right, nearly, poor, wrong", actual, HEADING)


def check_metric_tells_right_from_wrong(metric: Any) -> None:
    marks = [metric(exam.graded(), exam.y) for exam in exams(metric)]
    good = any(signed[0] > signed[-1] for signed in (_signed(metric, mark) for mark in marks))
    way = "greater" if metric.greater_is_better else "less"
    actual = "; ".join(f"{mark[0]:.4g} and {mark[-1]:.4g}" for mark in marks)
    expect(good, f"{way} for a right prediction than for a wrong one", actual, HEADING)
