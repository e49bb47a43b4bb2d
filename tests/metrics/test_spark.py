"""Each table metric gives the same on Spark as on DuckDB, within 1e-9. `make spark` runs it where Java is.

Without Spark, each expression that a metric executes is at least compiled to Spark's SQL.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pytest
from ibis.config import Config

sys.path.insert(0, str(Path(__file__).parent))

from fleet import RIVALS, Rival, disagreements, small_fleet
from without_rivals import MORE

METRICS = (*RIVALS, *MORE)

needs_spark = pytest.mark.skipif(
    find_spec("pyspark") is None or shutil.which("java") is None,
    reason="pyspark or Java is not installed: `make spark` installs pyspark beside Ibis and runs this",
)


@pytest.fixture(scope="module")
def duckdb_runs() -> Iterator[ir.Table]:
    con = ibis.duckdb.from_connection(small_fleet())
    yield con.table("runs")
    con.disconnect()


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    con = small_fleet()
    con.execute(f"copy runs to '{folder / 'runs.parquet'}'").fetchall()
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .getOrCreate()
    )
    spark = ibis.pyspark.connect(session)
    duck = ibis.duckdb.from_connection(con)
    yield {"duckdb": duck.table("runs"), "spark": spark.read_parquet(str(folder / "runs.parquet"), table_name="runs")}
    duck.disconnect()
    session.stop()


@needs_spark
@pytest.mark.filterwarnings("ignore")  # pyspark's own, about pandas 3 and about windows without partitions
@pytest.mark.parametrize("rival", METRICS, ids=[rival.name for rival in METRICS])
def test_a_metric_on_spark_equals_the_same_on_duckdb(rival: Rival, backends: dict[str, Any]) -> None:
    ours = rival.ours(backends["spark"])
    assert len(ours) > 0
    assert disagreements(rival, ours, rival.ours(backends["duckdb"])) == []


@pytest.mark.parametrize("rival", METRICS, ids=[rival.name for rival in METRICS])
def test_what_a_metric_executes_compiles_to_sparks_sql(
    rival: Rival, duckdb_runs: ir.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Options(Config):
        treat_nan_as_null: bool = False

    if ibis.options.pyspark is None:  # Ibis compiles for Spark without pyspark, but for what its back end would set
        monkeypatch.setattr(ibis.options, "pyspark", Options())
    executed: list[ir.Expr] = []
    # Every way to rows ends in one of these two; scalars and columns have a to_pyarrow of their own.
    ways = ((ir.Expr, "execute"), (ir.Table, "to_pyarrow"), (ir.Column, "to_pyarrow"), (ir.Scalar, "to_pyarrow"))
    for kind, name in ways:
        original = getattr(kind, name)

        def recording(self: ir.Expr, *args: Any, original: Any = original, **options: Any) -> Any:
            executed.append(self)
            return original(self, *args, **options)

        monkeypatch.setattr(kind, name, recording)
    rival.ours(duckdb_runs)
    assert executed
    for expression in executed:
        assert "SELECT" in ibis.to_sql(expression.unbind(), dialect="pyspark")
