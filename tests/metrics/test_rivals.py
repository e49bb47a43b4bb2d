"""Each table metric equals the query that an analyst would write by hand, and pandas, on a random fleet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import ibis
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fleet import RIVALS, Rival, disagreements, small_fleet


@pytest.fixture(scope="module")
def runs() -> Iterator[ibis.Table]:
    con = ibis.duckdb.from_connection(small_fleet())
    yield con.table("runs")
    con.disconnect()


@pytest.mark.parametrize("rival", RIVALS, ids=[rival.name for rival in RIVALS])
def test_a_metric_equals_the_query_by_hand_and_pandas(rival: Rival, runs: ibis.Table) -> None:
    con = runs.get_backend().con
    ours = rival.ours(runs)
    assert len(ours) > 0
    assert disagreements(rival, ours, con.sql(rival.sql).to_arrow_table().to_pandas()) == []
    assert disagreements(rival, ours, rival.pandas(con.sql("from runs").to_arrow_table().to_pandas())) == []


def test_a_disagreement_is_told_with_its_place() -> None:
    rival = Rival("x", lambda runs: runs, "", lambda frame: frame, ("a",), ("n",))
    left, right = (pd.DataFrame({"a": ["u", "v"], "n": [1.0, n]}) for n in (2.0, 3.0))
    assert disagreements(rival, left, left) == []
    assert disagreements(rival, left, right) == ["x.n: 1 of 2 differ, first at v: 2.0 and 3.0"]
    assert disagreements(rival, left, right[:1]) == ["x: 2 and 1 rows; only ours: ['v']; only theirs: []"]
