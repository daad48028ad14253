"""How little is enough: shares and the fewest, from changes that are known."""

import numpy as np
import pandas as pd
import pytest

from afterglow.study import plan_little

CHANGES = -np.array([[5.0], [8.0], [9.2], [10.0]]) * np.array([0.5, 1.0, 1.5])


def table(means):
    return pd.DataFrame({"sessions": np.arange(1, 5)} | plan_little.counted(CHANGES, np.array(means)))


def test_the_fewest_keep_nine_tenths():
    found = table([[-5.0, -8.0, -9.2, -10.0]])
    assert found["share"].to_numpy() == pytest.approx([0.5, 0.8, 0.92, 1.0])
    assert found["enough"].tolist() == [False, False, True, False]
    assert found["enough_chance"].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert plan_little.fewest(found) == (3, 3, 3)


def test_resamples_spread_the_fewest():
    means = [[-5, -9.5, -9.8, -10]] * 3 + [[-5, -8, -9.2, -10]] * 6 + [[-5, -8, -8.5, -10]]
    found = table(means)
    assert found["enough_chance"].to_numpy() == pytest.approx([0.0, 0.3, 0.6, 0.1])
    assert plan_little.fewest(found) == (3, 2, 4)


def test_where_nothing_helps_all_are_needed():
    found = plan_little.counted(np.array([[1.0, 2.0], [2.0, 3.0]]), np.array([[1.5, 2.5]]))
    assert found["enough_chance"].sum() == 1.0
    assert found["enough"].sum() == 1
