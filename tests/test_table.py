"""The table of all models: differences with their intervals."""

import numpy as np
import pytest

from s2vt_model.evaluation.table import Row, interval


def row(cider) -> Row:
    return Row("a model", "greedy", {}, {"CIDEr": list(cider)}, 0, None, None)


def test_a_model_does_not_differ_from_itself():
    same = row(np.random.default_rng(1).uniform(0, 100, 50))
    assert interval(same, same, "CIDEr") == (0.0, 0.0, 0.0)


def test_a_constant_difference_is_certain():
    scores = np.random.default_rng(1).uniform(0, 100, 50)
    assert interval(row(scores + 2), row(scores), "CIDEr") == pytest.approx((2.0, 2.0, 2.0))


def test_the_interval_is_that_of_the_normal_distribution():
    """Of 400 differences with a deviation of 10: 1.96 · 10 / √400 to either side of the mean."""
    differences = np.random.default_rng(1).normal(3, 10, 400)
    mean, low, high = interval(row(differences), row(np.zeros(400)), "CIDEr")
    assert mean == pytest.approx(differences.mean())
    half = 1.96 * differences.std() / 20
    assert (mean - low, high - mean) == pytest.approx((half, half), rel=0.06)
